"""`latcast bench onnx`: measure some models, forecast the others, and say how well."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from latcast.schema import InputError, LatcastError, ProfileSettings
from latcast.schema.counting import counted
from service.cli.bench.onnx_report import failures_of, print_holdouts, print_result
from service.cli.common import console
from service.cli.options import (
    BackendOption,
    DatasetOption,
    PrecisionOption,
    ResultOption,
    ThreadsOption,
    TimeoutOption,
)
from service.cli.progress import bar
from service.cli.results import fail_each, write_json

if TYPE_CHECKING:
    from predictors.base import LatencyDataset
    from predictors.evaluation.onnx import Draw, Holdout, Journal, Manifest, Plan

__all__ = ["bench_onnx"]

DEFAULTS = ProfileSettings()


class HoldoutKind(StrEnum):
    """What training goes without; see `predictors.evaluation.onnx.holdouts`."""

    FAMILIES = "families"
    TARGETS = "targets"
    HOSTS = "hosts"
    OPERATORS = "operators"


def bench_onnx(
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON lines {"name", "onnx", "feeds", "shapes"}; see the guide.')
    ] = None,
    holdout: Annotated[
        HoldoutKind | None, typer.Option(help="Instead of a manifest: leave parts of the measured data set out.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead of a manifest: a table of latencies that others measured.",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Held-out part, instead of all; repeatable.")] = None,
    data: DatasetOption = Path("benchmarks/data"),
    backend: BackendOption = DEFAULTS.backend,
    threads: ThreadsOption = DEFAULTS.threads,
    precision: PrecisionOption = DEFAULTS.precision,
    shots: Annotated[
        int, typer.Option(min=1, help="Models of the support set, which the predictor is adapted to.")
    ] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of the choice.")] = 10,
    predictor: Annotated[
        str | None,
        typer.Option(
            help="KIND, KIND:NAME=VALUE,…, a shipped artifact's name, or its file. The house predictor where left out."
        ),
    ] = None,
    sampler: Annotated[str, typer.Option(help="What chooses the support set.")] = "variance",
    seconds: Annotated[float, typer.Option(min=0.05, help="Timed seconds of each measurement.")] = 1.0,
    timeout: TimeoutOption = DEFAULTS.timeout_s,
    measurements: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep measurements here, and take from here what is there.")
    ] = None,
    json_out: ResultOption = "-",
) -> None:
    """Judge forecasts of whole models: a few of them are the support set, the rest is forecast and compared.

    With a manifest of your own ONNX models each is measured twice on this machine, at the start and at the end. With
    --holdout and --table nothing is measured. An interrupted run goes on where it was when called again. Exits with 1
    when a model could not be measured or a row not be read; the others are judged all the same.

    \b
    Examples:
      latcast bench onnx --manifest models.jsonl --json result.json
      latcast bench onnx --manifest models.jsonl --measurements kept.jsonl \\
        --sampler random
      latcast bench onnx --holdout families --only mobile --json families.json
      latcast bench onnx --table measured-by-others.csv --seeds 3 \\
        --json table.json
    """
    from predictors.evaluation.onnx import DEFAULT_PREDICTOR, Draw, Journal, careful_settings
    from predictors.samplers.base import get_sampler

    if [manifest, holdout, table].count(None) != 2:
        raise InputError(
            "Give one of --manifest with models to measure, --holdout families, targets, hosts or operators, and "
            "--table with latencies that others measured."
        )
    get_sampler(sampler)
    name = predictor or DEFAULT_PREDICTOR
    draw = Draw(sampler=sampler, shots=shots, seeds=seeds)
    if table is not None:
        result = _judge_table(table, data, name, draw)
        write_json(result, json_out)
        print_result(result, console)
        fail_each(failures_of(result))
        return
    if holdout is not None:
        journal = Journal(_beside(json_out))
        results = _hold_out(holdout, only or [], data, name, draw, journal)
        write_json(results, json_out)
        journal.clear()
        print_holdouts(results, console)
        return
    assert manifest is not None  # noqa: S101 - one of them is there
    settings = careful_settings(
        backend=backend, precision=precision, threads=threads, seconds=seconds, timeout_s=timeout
    )
    journal = Journal(measurements or _beside(json_out))
    result = _measure(manifest, settings, data, name, draw, journal)
    write_json(result, json_out)
    if measurements is None:
        journal.clear()
    print_result(result, console)
    fail_each(failures_of(result))


def _beside(json_out: str) -> Path | None:
    return None if json_out == "-" else Path(f"{json_out}.partial.jsonl")


def _measure(
    path: Path, settings: ProfileSettings, data: Path, predictor: str, draw: "Draw", journal: "Journal"
) -> dict[str, Any]:
    from predictors.data.measured import read_measured
    from predictors.evaluation.onnx import Plan, measure_evidence, read_manifest, trained
    from profilers.backends.target_settings import target_for
    from profilers.host.device import describe_device

    manifest = read_manifest(path)
    if len(manifest.entries) <= draw.shots:
        models = counted(len(manifest.entries), "model")
        raise InputError(f"The manifest names {models}: {counted(draw.shots, 'shot')} leave none to forecast. "
                         "Name more models, "
                         "or ask for fewer --shots.")  # fmt: skip
    device = describe_device()
    target_for(device, settings)  # an unknown backend is refused before anything is trained
    base = trained(predictor, lambda: read_measured(data))
    plan = Plan(
        device=device,
        settings=settings,
        predictor=base,
        sampler=draw.sampler,
        shots=draw.shots,
        seeds=draw.seeds,
        evidence=measure_evidence(base, device=device, settings=settings, journal=journal),
    )
    return _run(manifest, plan, journal)


def _run(manifest: "Manifest", plan: "Plan", journal: "Journal") -> dict[str, Any]:
    from predictors.evaluation.onnx import run

    with _bars() as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int, what: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, what="")
            bars.update(tasks[stage], completed=done, what=what if done < total else "")

        return run(manifest, plan, journal, report)


def _bars() -> Progress:
    columns = ("{task.description:<16}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "{task.fields[what]}")
    return bar(console, *columns, transient=False)


def _hold_out(
    kind: HoldoutKind, only: Sequence[str], path: Path, predictor: str, draw: "Draw", journal: "Journal"
) -> dict[str, Any]:
    """Held-out name → its document."""
    from predictors.data.measured import pooled_rows, read_rows, read_targets, to_dataset
    from predictors.evaluation.onnx import HOLDOUTS, repeated, untrained

    untrained(predictor)  # an unknown predictor is refused before the data are read
    rows = read_rows(path)
    pooled = pooled_rows(rows)
    data = to_dataset(pooled, read_targets(path))
    results: dict[str, Any] = {}
    parts = _chosen(HOLDOUTS[kind.value](data), only)
    with _bars() as bars:
        task = bars.add_task("held out", total=len(parts), what="")
        for part in parts:
            bars.update(task, what=part.name)
            differences = repeated(rows, pooled, part)
            results[part.name] = _judged(data, part, predictor, draw, journal, differences)
            bars.update(task, advance=1, what="")
    return results


def _judge_table(path: Path, data: Path, predictor: str, draw: "Draw") -> dict[str, Any]:
    from predictors.data.importers import read_any
    from predictors.data.measured import read_measured
    from predictors.evaluation.onnx import FailedModel, judge_table, trained
    from profilers.onnx_graph import GraphLoader

    with GraphLoader(timeout_s=120.0) as loader, _bars() as bars:
        task = bars.add_task("reading", total=None, what=path.name)
        imported = read_any(path, prepare=lambda model, batch: loader.prepare(model, batch=batch))
        bars.update(task, description="forecasting")
        skipped = [FailedModel(name=one.what, stage="load", message=one.reason) for one in imported.report.skipped]
        base = trained(predictor, lambda: read_measured(data))
        return judge_table(imported.dataset, base, draw, skipped=skipped, names=imported.names)


def _chosen(parts: "Sequence[Holdout]", only: Sequence[str]) -> "list[Holdout]":
    names = [part.name for part in parts]
    for name in only:
        if name not in names:
            raise InputError(f"Nothing in the data set is called {name!r}: there are {', '.join(names) or 'none'}.")
    return [part for part in parts if not only or part.name in only]


def _judged(
    data: "LatencyDataset",
    part: "Holdout",
    predictor: str,
    draw: "Draw",
    journal: "Journal",
    differences: Sequence[float],
) -> Any:
    from predictors.data.splits import row_keys
    from predictors.evaluation.onnx import judge, untrained

    said = repr((predictor, draw, part.name, sorted(set(row_keys(data))), data.latency_ms.tobytes()))
    key = hashlib.sha256(said.encode()).hexdigest()
    if journal.get(key) is None:
        try:
            journal.put(key, judge(data, part, untrained(predictor), draw, differences=differences))
        except LatcastError as error:
            raise LatcastError(f"{part.name}: {error}") from error
    return journal.get(key)
