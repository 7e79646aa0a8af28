"""`latcast bench serve`: how fast the service answers, beside an application that only sends its bodies back."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TimeElapsedColumn

from latcast.schema.counting import counted
from service.cli.bench.busy import measure_busy
from service.cli.bench.load import Call, Load, drive, prepared
from service.cli.common import console
from service.cli.demo.processes import free_port, running, wait_for
from service.cli.options import JsonOption
from service.cli.progress import DESCRIPTION, bar
from service.cli.results import deliver
from service.cli.tables import names, numbers, output, print_table, say

__all__ = ["bench_serve"]

SPACE = "nasbench201"
DEVICES = 10
MEASURED = 2_000
"""Networks whose latency the benchmark's table has; all others are forecast."""
TEXTS, SINGLES = 10_000, 2_000
MODELS = 64
OWN_SPACE, OWN_TEXTS, OWN_CALL = "fbnet", 6_000, 250
"""Space, texts and texts of a call that a device of one's own is asked for: a search's, each of them new."""
MOST_WARMUP = 20
"""Up to so many different calls are all made once before anything is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way of asking.

    Args:
        name: for the table.
        callers: connections that ask at the same time.
        bodies: JSON bodies of the service's calls, which the echo gets, too.
        forecasts: networks in each call.
        fresh: whether each body is sent once at most, because the second time it is known.
        before: sent to the service once, before anything is measured.
    """

    name: str
    callers: int
    bodies: Sequence[bytes]
    forecasts: int
    fresh: bool = False
    before: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The service beside the echo, medians over rounds.

    Args:
        form: name of the form.
        callers: connections.
        calls_per_second, forecasts_per_second: of the service.
        p50_ms, p99_ms: of the service's answers.
        throughput_ratio: the service's calls a second ÷ the echo's.
        p99_ratio: the service's p99 ÷ the echo's.
        calls: answered in all rounds.
    """

    form: str
    callers: int
    calls_per_second: float
    forecasts_per_second: float
    p50_ms: float
    p99_ms: float
    throughput_ratio: float
    p99_ratio: float
    calls: int


def bench_serve(
    seconds: Annotated[float, typer.Option(min=0.2, help="Duration of each measurement.")] = 3.0,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each form; medians are reported.")] = 3,
    form: Annotated[list[str] | None, typer.Option(help="Form to measure; repeatable. [all of them]")] = None,
    agents: Annotated[
        int, typer.Option(min=0, help="Agents that report while single forecasts are asked once more.")
    ] = 0,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Database of the service, which has to be empty; a file of SQLite by default."
        ),
    ] = None,
    json_out: JsonOption = None,
) -> None:
    """Measure the service's speed on this machine: start it with a table of its own, and call it beside an echo.

    The echo is an application of the same framework and server that parses each body and sends it back. Both run in
    processes of their own and are called in turns, so that ratios hold on busy machines, too. Nothing leaves the
    machine; the database is a temporary one, unless an empty one is named. `--agents` replay one result again and
    again, while a target is adapted: first alone, then while forecasts are asked. They and the callers compute on this
    machine, as agents and callers elsewhere do not; what the callers themselves wait for a core is told apart.

    \b
    Examples:
      latcast bench serve
      latcast bench serve --form single --seconds 10
      latcast bench serve --agents 16 --json speed.json
      latcast bench serve --form single --agents 50 \\
        --database-url postgresql://latcast@localhost/bench
    """
    with TemporaryDirectory(prefix="latcast-bench-") as folder, ExitStack() as stack:
        bench = _Bench(Path(folder), stack, database_url or f"sqlite:///{Path(folder) / 'latcast.db'}")
        forms = _forms(bench.targets, bench.own_target, form)
        with bar(console, DESCRIPTION, BarColumn(), TimeElapsedColumn()) as shown:
            task = shown.add_task("measuring", total=rounds * len(forms))
            report = _report(
                bench, forms, rounds, seconds, lambda name: shown.update(task, advance=1, description=name)
            )
        if agents:
            say(f"Once more beside {counted(agents, 'agent')} …", console)
            report["busy"] = measure_busy(
                bench.port, _singles(bench.targets), agents=agents, folder=Path(folder), rounds=rounds, seconds=seconds
            )
            report["memory_bytes"]["after"] = bench.memory_bytes()
    deliver(report, json_out, lambda: _print(report))


class _Bench:
    """The service with a table of its own and the echo, each in a process.

    Args:
        folder: for the logs, and the database where it is a file.
        stack: ends the processes.
        database_url: of the service.
    """

    def __init__(self, folder: Path, stack: ExitStack, database_url: str) -> None:
        say("Importing a table and starting the service …", console)
        self.targets = _fill(folder, database_url)
        self.port, self.echo_port = free_port(), free_port()
        log = folder / "service.log"
        arguments = ["serve", "--port", str(self.port), "--data-dir", str(folder)]
        environment = {"LATCAST_DATABASE_URL": database_url}  # who calls from this machine, without keys, has no limits
        self.service = stack.enter_context(running(arguments, log=log, environment=environment))
        wait_for(lambda: _answers(self.port, "/readyz"), process=self.service, log=log, what="The service")
        self.own_target = _register(self.port)
        echo_log = folder / "echo.log"
        self.echo = stack.enter_context(running([str(self.echo_port)], log=echo_log, module="service.cli.bench.echo"))
        wait_for(lambda: _answers(self.echo_port, "/docs"), process=self.echo, log=echo_log, what="The echo")

    def memory_bytes(self) -> dict[str, int]:
        """Memory of the process that answers (`serving`), and of the service with its workers (`all`): pages that
        several of them share are counted once where the system tells (proportional set size), else for each.
        """
        import psutil

        process = psutil.Process(self.service.pid)
        processes = (process, *process.children(recursive=True))
        return {"serving": process.memory_info().rss, "all": sum(map(_held, processes))}


def _held(process: Any) -> int:
    """Bytes of a process; shared pages are divided among those that share them, where the system tells."""
    whole = process.memory_full_info()
    return int(getattr(whole, "pss", whole.rss))


def _fill(folder: Path, database_url: str) -> list[str]:
    """Import a table of NAS-Bench-201 on ten devices that are a sum of layers each; ids of its targets.

    Raises:
        InputError: the database has targets: it is somebody's.
    """
    import numpy as np
    from sqlalchemy import select

    from latcast.schema import InputError, Target
    from predictors.data.importers.records import BACKEND, Column, collect
    from predictors.features.cells import layer_one_hot
    from service.cli.common import open_database
    from service.db import tables
    from service.measurements.table_import import store

    cells = _cells()[:MEASURED]
    layers, rng = layer_one_hot(cells), np.random.default_rng(1)
    columns = []
    for index in range(DEVICES):
        layer_ms = rng.lognormal(0, 1, layers.shape[1])
        target = Target(
            device=f"bench-{index}", backend=BACKEND, options={"space": SPACE}, origin="made by the benchmark"
        )
        columns.append(
            Column(target=target, architectures=cells, latency_ms=np.asarray(1 + layers @ layer_ms, dtype=np.float64))
        )
    with open_database(data_dir=folder, database_url=database_url) as (database, _):
        with database.read() as session:
            if session.scalar(select(tables.Target.id).limit(1)) is not None:
                raise InputError("The benchmark fills its database: name one that is empty.")
        store(database, collect("benchmark", columns, []))
    return [column.target.id for column in columns]


def _cells() -> Any:
    """Distinct cells in a fixed random order: first those of the table, then those that are asked for."""
    import numpy as np

    from profilers.search_spaces import get_space

    space, rng = get_space(SPACE), np.random.default_rng(0)
    drawn: dict[str, Any] = {}
    while len(drawn) < MEASURED + TEXTS:
        cell = space.sample(rng)
        drawn.setdefault(cell.text, cell)
    return list(drawn.values())


def _register(port: int) -> str:
    """Register this machine as a device; the id of a target of it, whose latencies the base predictor forecasts."""
    from latcast.client import Client
    from latcast.schema import ProfileSettings
    from profilers.backends.target_settings import target_for
    from profilers.host.device import describe_device

    device = describe_device()
    with Client(f"http://127.0.0.1:{port}") as client:
        answer = client.register(device, [target_for(device, ProfileSettings())])
    return str(answer["target_ids"][0])


def _answers(port: int, path: str) -> bool:
    import httpx2

    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


# --- Forms of calls ----------------------------------------------------------------------------------------------


def _forms(targets: Sequence[str], own_target: str, wanted: Sequence[str] | None) -> list[Form]:
    from latcast.schema import UnknownNameError

    forms = list(_all_forms(targets, own_target))
    for name in wanted or ():
        if name not in {form.name for form in forms}:
            raise UnknownNameError("form of calls", name, sorted({form.name for form in forms}))
    return [form for form in forms if not wanted or form.name in wanted]


def _all_forms(targets: Sequence[str], own_target: str) -> Iterator[Form]:
    items = [{"space": SPACE, "text": cell.text} for cell in _cells()[MEASURED:]]
    single = [_body(targets[0], [item]) for item in items[:SINGLES]]
    for callers in (1, 16):
        yield Form(name="single", callers=callers, bodies=single, forecasts=1)
    thousands = [_body(targets[0], items[start : start + 1000]) for start in range(0, TEXTS, 1000)]
    for callers in (1, 16):
        yield Form(name="list of 1,000", callers=callers, bodies=thousands, forecasts=1000)
    texts = [item["text"] for item in items]
    for size in (1000, TEXTS):
        bodies = [_columns(targets[0], texts[start : start + size]) for start in range(0, TEXTS, size)]
        yield Form(name=f"columns of {size:,}", callers=1, bodies=bodies, forecasts=size)
    yield Form(name="ten targets", callers=1, bodies=[_body(target, items[:100]) for target in targets], forecasts=100)
    bodies = [_columns(target, texts) for target in targets[1:]]
    first = [_columns(target, [cell.text for cell in _cells()[:1]]) for target in targets[1:]]
    yield Form(name=f"new columns of {TEXTS:,}", callers=1, bodies=bodies, forecasts=TEXTS, fresh=True, before=first)
    met, *new = [_columns(own_target, part, OWN_SPACE) for part in _own_texts()]
    yield Form(name="new texts, own device", callers=1, bodies=new, forecasts=OWN_CALL, fresh=True, before=[met])
    models = [_body(own_target, [{"onnx": base64.b64encode(model).decode()}]) for model in _models()]
    yield Form(name="new ONNX", callers=1, bodies=models, forecasts=1, fresh=True)


def _singles(targets: Sequence[str]) -> list[Call]:
    """Calls for one forecast each."""
    items = [{"space": SPACE, "text": cell.text} for cell in _cells()[MEASURED : MEASURED + SINGLES]]
    return [prepared("/v1/predict", _body(targets[0], [item]), host="127.0.0.1") for item in items]


def _body(target: str, items: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps({"target": target, "items": list(items)}).encode()


def _columns(target: str, texts: Sequence[str], space: str = SPACE) -> bytes:
    return json.dumps({"target": target, "space": space, "texts": list(texts)}).encode()


def _own_texts() -> list[list[str]]:
    """Distinct texts in parts of a call."""
    import numpy as np

    from profilers.search_spaces import get_space

    space, rng = get_space(OWN_SPACE), np.random.default_rng(0)
    texts = list(dict.fromkeys(space.sample(rng).text for _ in range(OWN_TEXTS)))
    return [texts[start : start + OWN_CALL] for start in range(0, len(texts) - OWN_CALL + 1, OWN_CALL)]


def _models() -> list[bytes]:
    """ONNX models that the service has not met, of some hundred nodes each."""
    from profilers.search_spaces import get_space

    space = get_space(SPACE)
    return [space.to_onnx(cell) for cell in _cells()[-MODELS:]]


# --- Measuring -----------------------------------------------------------------------------------------------------


def _report(
    bench: _Bench, forms: Sequence[Form], rounds: int, seconds: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    before, results = bench.memory_bytes(), []
    for form in forms:
        pairs = []
        for body in form.before:
            drive(bench.port, [prepared("/v1/predict", body, host="127.0.0.1")], callers=1, seconds=0.0, warmup=0)
        for turn in range(rounds):
            tell(form.name)
            pairs.append(_pair(bench, form, seconds, turn, rounds))
        results.append(_result(form, pairs))
    return {
        "results": [asdict(result) for result in results],
        "predictor_forecasts_per_second": _predictor_alone(rounds),
        "memory_bytes": {"before": before, "after": bench.memory_bytes()},
        "rounds": rounds,
        "seconds": seconds,
    }


def _predictor_alone(rounds: int) -> float:
    """Forecasts a second of the predictor that reads the space, from texts, in this process."""
    from latcast.schema import Target
    from predictors.base import Query
    from predictors.registry import pretrained
    from profilers.search_spaces import get_space

    predictor, parse = pretrained(f"universal-{SPACE}"), get_space(SPACE).parse
    target, texts = Target(device="bench", backend="imported"), [cell.text for cell in _cells()[MEASURED:]]

    def once() -> float:
        began = time.perf_counter()
        predictor.predict([Query(target=target, architecture=parse(text)) for text in texts])
        return len(texts) / (time.perf_counter() - began)

    once()
    return median(once() for _ in range(rounds))


def _pair(bench: _Bench, form: Form, seconds: float, turn: int, rounds: int) -> tuple[Load, Load]:
    """(service, echo) of one round."""
    calls = [prepared("/v1/predict", body, host="127.0.0.1") for body in form.bodies]
    echoed = [prepared("/echo", body, host="127.0.0.1") for body in form.bodies]
    if form.fresh:  # each body once: a part of them for each round, called one by one
        part = calls[turn::rounds]
        return _once(bench.port, part), _once(bench.echo_port, echoed[turn::rounds])
    warmup = len(calls) if len(calls) <= MOST_WARMUP else 3
    return (
        drive(bench.port, calls, callers=form.callers, seconds=seconds, warmup=warmup),
        drive(bench.echo_port, echoed, callers=form.callers, seconds=seconds, warmup=warmup),
    )


def _once(port: int, calls: Sequence[Call]) -> Load:
    """Every call once, one after the other."""
    loads = [drive(port, [call], callers=1, seconds=0.0, warmup=0) for call in calls]
    times = sorted(load.p50_ms for load in loads)
    from latcast.schema import quantile

    return Load(
        calls=len(times), seconds=sum(times) / 1000, p50_ms=quantile(times, 0.5), p99_ms=quantile(times, 0.99),
        answer_bytes=loads[-1].answer_bytes, p99_served_ms=quantile(sorted(load.p99_served_ms for load in loads), 0.99),
    )  # fmt: skip


def _result(form: Form, pairs: Sequence[tuple[Load, Load]]) -> Result:
    service = [load for load, _ in pairs]
    return Result(
        form=form.name,
        callers=form.callers,
        calls_per_second=median(load.per_second for load in service),
        forecasts_per_second=median(load.per_second for load in service) * form.forecasts,
        p50_ms=median(load.p50_ms for load in service),
        p99_ms=median(load.p99_ms for load in service),
        throughput_ratio=median(load.per_second / echo.per_second for load, echo in pairs),
        p99_ratio=median(load.p99_ms / echo.p99_ms for load, echo in pairs),
        calls=sum(load.calls for load in service),
    )


def _print(report: Mapping[str, Any]) -> None:
    out = output()
    columns = [names("form"), numbers("callers"), numbers("forecasts/s"), numbers("p50"), numbers("p99"),
               numbers("of echo's calls"), numbers("p99 / echo's")]  # fmt: skip
    rows = [
        (each["form"], f"{each['callers']:,}", f"{each['forecasts_per_second']:,.0f}", f"{each['p50_ms']:.2f} ms",
         f"{each['p99_ms']:.2f} ms", f"{each['throughput_ratio']:.2f}", f"{each['p99_ratio']:.1f} ×")
        for each in report["results"]
    ]  # fmt: skip
    print_table(
        columns, rows, out=out, title=f"medians of {counted(report['rounds'], 'round')} of {report['seconds']:g} s"
    )
    before, after = (report["memory_bytes"][name] for name in ("before", "after"))
    _print_busy(report, out)
    for what, name in (("the process that answers", "serving"), ("the service with its workers", "all")):
        say(f"Memory of {what}: {before[name] / 2**20:,.0f} MiB before, {after[name] / 2**20:,.0f} MiB after.", out)


def _print_busy(report: Mapping[str, Any], out: Console) -> None:
    say(f"The predictor alone makes {report['predictor_forecasts_per_second']:,.0f} forecasts/s of texts.", out)
    if (busy := report.get("busy")) is None:
        return
    say(
        f"{counted(busy['agents'], 'agent')}, which offer {busy['offered_per_second']:.0f} results/s, report "
        f"{busy['results_per_second_alone']:.0f} beside an adaptation, and {busy['results_per_second']:.0f} while "
        f"forecasts are asked, too; {counted(busy['refused_calls'], 'call')} of theirs refused. Beside them:",
        out,
    )
    for each in busy["results"]:
        speeds = f"{each['calls_per_second']:,.0f} calls/s instead of {each['quiet_calls_per_second']:,.0f}"
        p99 = f"p99 {each['p99_ms']:.2f} ms instead of {each['quiet_p99_ms']:.2f}, {each['p99_ratio']:.1f} ×"
        served = f"{each['p99_served_ms']:.2f} instead of {each['quiet_p99_served_ms']:.2f}"
        own = f"without the callers' own waits for a core {served}, {each['p99_served_ratio']:.1f} ×"
        say(f"{counted(each['callers'], 'caller')}: {speeds}; {p99}; {own}.", out)
