"""Every table of every command at 80 columns, with long names: no line is wider, no word is broken, and none acts.

A table is printed at 80 columns and as wide as it is. Whatever the layout, both have the same words: what is cut,
broken or replaced by an ellipsis is missed. A line is wider than 80 columns only where it is a single word, a name.
"""

import importlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from latcast.loops.frontier import Front, Point
from latcast.schema import InputError, KernelTiming, Microbench, Target
from latcast.schema.printable import visible
from predictors.artifact import Artifact
from predictors.data.importers.records import ImportReport, Skipped
from predictors.data.measured import MeasuredRow, MeasuredTarget
from predictors.features.kernels import CLASSES
from profilers.campaign import Recipe
from profilers.campaign.tally import Tally
from profilers.microbench import ENTRIES
from profilers.onnx_graph import load_graph
from profilers.targets import Kind
from service.cli import tables
from service.cli.bench import nas, serve
from service.cli.bench.onnx_report import print_holdouts, print_result
from service.cli.data import db
from service.cli.data.dataset import _print_bars, _print_families, _print_targets
from service.cli.demo import demo
from service.cli.demo.comparison import Comparison
from service.cli.fleet.contenders import _print as print_contenders
from service.cli.fleet.devices import print_devices
from service.cli.fleet.jobs import _print as print_jobs
from service.cli.fleet.jobs import _print_job as print_job
from service.cli.fleet.targets import _print_impossible, _print_listed, _print_possible
from service.cli.forecast import predict
from service.cli.forecast.explanation_report import print_explanation
from service.cli.forecast.frontier import Fronts
from service.cli.forecast.networks import Network
from service.cli.forecast.quality import print_quality
from service.cli.main import app
from service.cli.markdown import print_markdown
from service.cli.measure import campaign
from service.cli.measure.microbench import print_microbench
from service.cli.measure.profile_report import print_report
from service.cli.shapes import parse_curve
from service.cli.tables import UNLIMITED
from service.db.integrity import Findings
from service.learning.training.card import model_card
from service.measurements.table_import import Stored
from service.settings import Settings
from tests.service.cli.bench.test_onnx_report import FIGURES, MODELS
from tests.service.cli.doubles import LISTED
from tests.service.cli.forecast.test_explanation_report import DOCUMENT, KERNEL
from tests.service.helpers import DEVICE, measurement, model

WIDTH = 80
importing = importlib.import_module("service.cli.data.importing")
audit, measurements, upload = (importlib.import_module(f"service.cli.fleet.{name}") for name in
                               ("audit", "measurements", "upload"))  # fmt: skip
check, friendliness, frontier = (importlib.import_module(f"service.cli.forecast.{name}") for name in
                                 ("check", "friendliness", "frontier"))  # fmt: skip
profile, remote = (importlib.import_module(f"service.cli.measure.{name}") for name in ("profile", "remote"))
predictors = importlib.import_module("service.cli.train.predictors")
"""Modules, some of which are hidden by commands of their name."""

HOSTILE = "[/red][blink]\x1b]0;owned\x07\x9b2J\u202e\r\nlatcast:"
"""Markup, a terminal's title, a C1 control, a reversal of direction, and a line of its own."""
NAME = HOSTILE + "zoo/mobile/block=ghost,depth=4,width=32,stages=5,expansion=3,kernel=7,[head]=1280,squeeze=no,batch=1"
NODE = HOSTILE + "/model/backbone/features/features.17/block/block.3/[block.3.0]/depthwise/Conv_quantised_output_0"
LONG = Target(
    device="machine-1", backend="onnxruntime", backend_version="1.32.0", precision="int8_dynamic", threads=16,
    options={"optimisation": "extended", "spinning": "off", "another_option": "with_a_long_value"},
)  # fmt: skip
Printer = Callable[[Console], None]
TIMING = KernelTiming(
    operator="SkipSimplifiedLayerNormalization", share=0.5, time_ms=123.456,
    input_shapes=((1, 1024, 28, 28), (1024, 1024, 3, 3), (1024,)), output_shapes=((1, 1024, 28, 28),),
)  # fmt: skip
RESULT = {**FIGURES, "models": [{**MODELS[0], "name": NAME, "measured_ms": 12345.678}], "failed": [
    {"name": NAME, "stage": "load", "message": f"The model {NODE} cannot be read."}]}  # fmt: skip
LONG_KERNEL = {
    **KERNEL, "operator": "SkipSimplifiedLayerNormalization", "kind": max(CLASSES, key=len), "nodes": [NODE],
    "repeats": 1000, "latency_ms": 12345.678, "measured_ms": 12345.678, "known": False,
}  # fmt: skip
EXPLAINED = {
    **DOCUMENT,
    "kernels": [LONG_KERNEL, KERNEL],
    "nearest": [{"name": NAME, "measured_ms": 12345.678, "distance": 0.25}],
    "measure_next": [{"space": "zoo", "text": NAME, "forecast_ms": 12345.678, "variance_removed": 1.0}],
}
MICROBENCH = Microbench(
    target=LONG,
    values={entry.name: 12345.678 for entry in ENTRIES[1:]},
    spread={entry.name: 12.0 for entry in ENTRIES[1:]},
    missing={ENTRIES[0].name: f"It could not be timed, for {NODE} is missing."},
)
KINDS = [
    Kind(backend="onnxruntime", version="1.32.0", precision=precision, most_threads=16, reason=reason,
         options={"optimisation": ("all", "disabled", "basic", "extended"), "free": ()})
    for reason in ("", f"The runtime lacks {NODE}, which has to be installed first.")
    for precision in ("fp32", "int8_dynamic", "int8_static", "bf16", "as_given")
]  # fmt: skip
ROWS = [
    MeasuredRow(space="zoo", text=f"{'family' * 8}/{number}", graph="g", target=LONG.id, method="quick", latency_ms=1.0)
    for number in range(3)
]
FIGURES_OF_CARD = {
    "rows": 12345, "spearman": 0.98765, "median_ape": 0.1234, "within_10": 0.5, "within_20": 0.75,
    "interval_coverage": 0.9, "spread": {"spearman": 0.01, "median_ape": 0.01, "within_10": 0.1, "within_20": 0.1},
}  # fmt: skip
CARD = model_card(
    Artifact(kind="boosted_trees", hyperparameters={}, arrays={}, metrics={
        "rows": 12345, "networks": 1234, "fit_s": 12.3, "targets": {"t": FIGURES_OF_CARD},
        "cross_validation": {**FIGURES_OF_CARD, "folds": 4},
        "held_out_targets": {**FIGURES_OF_CARD, "folds": 3, "samples": 10, "targets": {"t": FIGURES_OF_CARD}},
        "data": {"dataset": "d" * 24, "rows_digest": "00ff", "chosen_by": {}, "measurements": 12345, "unread": 1,
                 "families": {NAME: 12345},
                 "targets": [{"id": "t", "label": LONG.label, "rows": 12345, "origin": "measured by us, CC0",
                              "name": NODE, "processor": "A long processor's name " * 3}]},
    })
)  # fmt: skip
FORECAST = {"latency_ms": 12345.678, "interval_ms": [11111.111, 22222.222], "source": "predicted", "coverage": 1.0}
MEAN = {figure: {"mean": 0.98765, "std": 0.0} for figure in ("spearman", "median_ape", "within_10", "coverage_90")}
MEASURED = measurement("g", ms=12.3456, target=LONG)
REPORT = ImportReport(
    source=f"a table of {NODE}", rows=123456, targets=(LONG, replace(LONG, device=NODE)),
    skipped=(Skipped(what=f"line 3 of {NODE}", reason="its latency 'a long one' is no number of ms", rows=7),) * 12,
    remarks=("half of its latencies are below 0.00604 ms, which looks like another unit: --unit s?", NAME),
)  # fmt: skip
TALLIES = [Tally(target=LONG, settings=measurement("g").settings, networks=123456, kernels=123456)]


def profile_report(out: Console) -> None:
    taken = measurement("g", ms=2.0, target=LONG)
    long = replace(taken, runs=tuple(replace(run, kernels=(TIMING,) * 3, counters=None) for run in taken.runs))
    print_report(NAME, DEVICE, load_graph(model()), long, kernels=2, console=out)


def on_module(module: Any, attribute: str, call: Callable[[], None]) -> Printer:
    """A printer of what prints on a console of its module."""

    def printer(out: Console) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, attribute, out)
            call()

    return printer


def forecasts(out: Console) -> None:
    answers: list[dict[str, Any]] = [{**FORECAST, "adapted": False}, {"error": {}}, {**FORECAST, "adapted": True}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "output", lambda: out)
        asked = [Network(name=name, item={}) for name in (NAME, NODE)]
        curve = parse_curve(None, ["batch_size=100000,2", "seq=4096,8"])
        asked.append(Network(name="m.onnx", item={}, sizes=curve[0]))
        predict._print(asked, answers, target=LISTED, level=0.999)


def on_output(module: Any, call: Callable[[], None]) -> Printer:
    """A printer of what prints on the console that its module asks for."""

    def printer(out: Console) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "output", lambda: out)
            call()

    return printer


def fronts() -> Fronts:
    front = Front()
    for point in (Point(1.0, 0.5, NAME), Point(12345.678, 0.98765, "m")):
        front.add(point)
    return Fronts(values={NAME: 0.5}, fronts={LONG.label: front}, seen=1234, left_out=1)


TABLES: dict[str, Printer] = {
    "profile": profile_report,
    "predict": forecasts,
    "explain": lambda out: print_explanation(EXPLAINED, kernels=1, out=out),
    "devices": lambda out: print_devices(
        [{"id": "d" * 32, "device": {"name": NODE, "processor": "A long processor's name " * 3, "logical_cores": 128},
          "seen_unix_s": None}], out),
    "jobs": lambda out: print_jobs(
        [{"id": "0" * 24, "kind": "profile", "state": "cancelled", "attempts": 3, "max_attempts": 3, "target": LONG.id,
          "created_unix_s": None}], out),
    "quality": lambda out: print_quality(
        [{"graph": "g", "space": "zoo", "text": NAME, "measured_ms": 12345.678, "predicted_ms": 1.0,
          "support": True, "file_precision": "float8e4m3fn"}] * 2, most=1, out=out),
    "targets": lambda out: _print_listed([{**LISTED, "label": LONG.label, "device_name": NODE}, LISTED], out),
    "targets --here": lambda out: _print_possible(KINDS[:5], out),
    "targets --here, impossible": lambda out: _print_impossible(KINDS[5:], out),
    "bench nas": on_module(
        nas,
        "console",
        lambda: nas._print_summary(
            [{"predictor": "boosted_trees:trees=100,folds=5,boosters=4", "sampler": "variance", "shots": 20,
              "tasks": {"nasbench201": {"mean": MEAN}, "fbnet": {"mean": MEAN}}}]
        ),
    ),
    "bench onnx": lambda out: print_result(RESULT, out),
    "bench onnx --holdout": lambda out: print_holdouts({NAME: RESULT, "b": RESULT}, out),
    "dataset stats, targets": lambda out: _print_targets(ROWS, [MeasuredTarget(target=LONG, device=DEVICE)], out),
    "dataset stats, families": lambda out: _print_families(ROWS, out),
    "dataset stats, bars": lambda out: _print_bars("share", {TIMING.operator: (2.0, "100.0%"), "x": (1.0, "5%")}, out),
    "microbench": lambda out: print_microbench(MICROBENCH, out),
    "campaign --dry-run": lambda out: campaign._print_plan(TALLIES, Recipe(), 10_000, out, microbench=True),
    "campaign": lambda out: campaign._print_summary(TALLIES, out),
    "measure": on_output(
        remote,
        lambda: remote._print(
            [Network(name=NAME, item={}), Network(name=NODE, item={})],
            [{"latency_ms": 12345.678, "p10_ms": 11111.1, "p90_ms": 22222.2, "samples": 1500,
              "noisy": True, "steadiness": "noisy: the device was busy"},
             {"error": {}}], target=LISTED),
    ),
    "profile, several": on_output(profile, lambda: profile.print_rows([(NAME, MEASURED), ("m.onnx", MEASURED)])),
    "upload": on_output(
        upload,
        lambda: upload._print(
            [Network(name=NAME, item={}), Network(name=NODE, item={})],
            [{"hash": f"g1-{'0' * 64}", "nodes": 12345, "macs": 1e12, "unknown_macs_nodes": 12, "parameter_bytes": 1e9,
              "parameters": {"float32": 1e9, "int64": 12345, "float8e4m3fn": 3e6}}, InputError("No model.")]),
    ),
    "check": on_output(
        check,
        lambda: check._print(
            [check.Verdict(network=Network(name=NAME, item={}), answer=FORECAST, bound_ms=22222.2, problem="It may."),
             check.Verdict(network=Network(name="m", item={}), answer=FORECAST, bound_ms=1.0, problem="")],
            LISTED, 20.0, 0.9),
    ),
    "frontier": on_output(frontier, lambda: frontier._show(fronts())),
    "friendliness": on_output(
        friendliness,
        lambda: friendliness._show(
            {"networks": 1, "overhead_ms": 12.3456, "explained_variance": 0.98, "error_ms": 0.1, "level": 0.95,
             "space": "zoo", "positions": [{"position": NODE, "options": {
                 NAME: {"ms": 12345.678, "low_ms": -11111.1, "high_ms": 22222.2}}}]}, LISTED),
    ),
    "measurements list": on_output(
        measurements,
        lambda: measurements._print(
            [{"id": 123456789, "text": text, "graph": "g", "failure_stage": None, "median_ms": 12345.678, "noisy": True,
              "created_unix_s": 0.0} for text in (NAME, "short", None)]),
    ),
    "measurements hide": on_output(
        measurements,
        lambda: measurements._say(
            "Hid", {"rows": 123456, "targets": [LONG.id], "agents": [NODE, "0" * 24, "1" * 24],
                    "adaptations_ended": ["a"], "adaptations_back": ["b"]}),
    ),
    "import": on_output(
        importing,
        lambda: importing._say(
            SimpleNamespace(report=REPORT), Stored(targets=1, added=123456, changed=12, known=3),
            Settings(database_url="postgresql+psycopg://me@database.example.org/latencies")),
    ),
    "predictors list": on_output(
        predictors,
        lambda: predictors._print(
            [{"id": "0" * 24, "kind": "boosted_trees", "metrics": {"rows": 1234567}, "active": False,
              "dataset_id": "1" * 24, "created_unix_s": 0.0}]),
    ),
    "predictors show": lambda out: print_markdown(CARD, out),
    "targets show": lambda out: print_contenders(
        {**LISTED, "label": LONG.label, "device_name": NODE},
        [{"space": "nasbench201", "standings": [
            {"name": NODE, "weight": 0.5, "median_ape": 1.234, "interval_score": 12.3, "record": None,
             "adapt_ms": 123456.0, "refused": "It reads no graphs."}]}], out),
    "audit": on_output(
        audit,
        lambda: audit._print(
            [{"at_unix_s": 0.0, "key": "0" * 16, "action": "measurements hidden", "subject": "0" * 32,
              "detail": {"agent": NODE, "rows": 123456}}]),
    ),
    "jobs, one": lambda out: print_job(
        {"id": "0" * 24, "kind": "profile", "state": "failed", "target": LONG.id, "graph": f"g1-{'0' * 64}",
         "created_unix_s": 0.0, "updated_unix_s": 0.0, "children": {"done": 3, "failed": 12345}, "result": None,
         "reasons": [{"number": 1, "outcome": "failed", "stage": "timeout", "message": NODE}]}, out),
    "db check": on_output(
        db,
        lambda: db._show(Findings(rows={"measurement": 123456, "job": 1}, revision="3", head="3", problems=(NODE,))),
    ),
    "bench serve": on_output(
        serve,
        lambda: serve._print(
            {"rounds": 3, "seconds": 5.0,
             "memory_bytes": {"before": {"serving": 1e9, "all": 2e9}, "after": {"serving": 2e9, "all": 3e9}},
             "results": [
                {"form": "columns of 10,000 networks of several spaces", "callers": 1000, "forecasts_per_second": 1e6,
                 "p50_ms": 123.4, "p99_ms": 1234.5, "throughput_ratio": 0.5, "p99_ratio": 12.3}],
             "predictor_forecasts_per_second": 1e5}),
    ),
    "demo, machine": on_module(demo, "out", demo.show_machine),
    "demo": on_module(
        demo,
        "out",
        lambda: demo.show(
            [Comparison(name="light x", measured_ms=12345.678, forecast_ms=12345.678, interval_ms=(11111.1, 22222.2))],
            {**dict.fromkeys(("median_ape", "within_10", "within_20", "spearman", "coverage_90"), 0.9),
             "host_drift": 0.1, "measure_s": 60.0, "forecast_s": 0.5},
        ),
    ),
}  # fmt: skip


def printed(printer: Printer, width: int, *, terminal: bool = False) -> str:
    out = Console(width=width, force_terminal=terminal, color_system=None, highlight=False)
    with out.capture() as captured:
        printer(out)
    return captured.get()


def words(text: str) -> Counter[str]:
    return Counter(text.split())


def begun(text: str) -> str:
    """The text with hashes of graphs as far as they are shown where there is little room: by these they are found."""
    return re.sub(r"(g1-[0-9a-f]{10})[0-9a-f]{54}", r"\1", text)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("name", TABLES)
def test_nothing_is_lost_at_80_columns(name: str, terminal: bool) -> None:
    narrow = printed(TABLES[name], WIDTH, terminal=terminal)
    wide = printed(TABLES[name], UNLIMITED)
    assert [line for line in narrow.splitlines() if len(line) > WIDTH and len(line.split()) > 1] == []
    assert words(begun(narrow)) == words(begun(wide))
    assert not [line for line in (*narrow.splitlines(), *wide.splitlines()) if not line.isprintable()]


NO_COUNTS = {"123456789", "100000", "4096", "1024"}
"""A measurement's id, and sizes of dimensions."""


@pytest.mark.parametrize("name", TABLES)
def test_counts_have_commas(name: str) -> None:
    """Figures of four digits and more, but for ids, sizes and times, are counts."""
    found = re.findall(r"(?<![\w.,:=/+~×-])\d{4,}(?![\w.:=/×-]| B\b)", printed(TABLES[name], UNLIMITED))
    assert [count for count in found if count.strip("0") and count not in NO_COUNTS] == []


def test_every_command_with_a_table_is_here() -> None:
    """Whatever prints a table has a printer above, but for keys, which have a test of their own."""
    folder = Path(tables.__file__).parent
    calls = re.compile(r"\bprint_(table|pairs)\(")
    printing = {path.stem for path in folder.rglob("*.py") if calls.search(path.read_text())} - {"tables", "keys"}
    called: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for path in folder.rglob("*.py"):
            name = ".".join(("service", "cli", *path.relative_to(folder).with_suffix("").parts))
            for function in ("print_table", "print_pairs"):
                if path.stem in printing and function in path.read_text():
                    note = partial(lambda stem, *_, **__: called.add(stem), path.stem)
                    patch.setattr(importlib.import_module(name), function, note)
        for printer in TABLES.values():
            printed(printer, UNLIMITED)
    assert printing - called == set()


def test_keys_are_whole_at_80_columns(new_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_DATABASE_URL", new_sqlite)
    CliRunner().invoke(app, ["keys", "create", "--scope", "admin", "--name", NODE])
    shown = {}
    for columns in ("80", ""):
        monkeypatch.setenv("COLUMNS", columns)
        shown[columns] = CliRunner().invoke(app, ["keys", "list"]).stdout
    assert words(shown["80"]) == words(shown[""])
    assert visible(NODE) in shown[""]
