"""`latcast demo`: the whole way of the data on this machine, with forecasts beside measurements."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.schema import JobState, LatcastError
from latcast.schema.counting import counted
from service.cli.common import WORTH_SAYING
from service.cli.options import JsonOption
from service.cli.progress import follow, follow_all, left_out_error, reason
from service.cli.results import write_json
from service.cli.tables import Column, names, numbers, output, print_pairs, print_table, say, shortened
from service.cli.units import duration, size

if TYPE_CHECKING:
    from latcast.client import Client
    from latcast.schema import Measurement
    from profilers.counters.base import CounterReader
    from service.cli.demo.comparison import Comparison, Named

__all__ = ["demo"]

LONGEST_NAME, LONGEST_LINE = 32, 60
"""Characters of a graph's name in the table, and in the lines that tell of progress."""

out = output()


def demo(
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the database and logs there; temporary by default.")
    ] = None,
    json_out: JsonOption = None,
    samples: Annotated[int, typer.Option(min=3, max=100, help="How many graphs to adapt with.")] = 10,
    sampler: Annotated[str, typer.Option(help="Who chooses them.")] = "variance",
    seed: Annotated[int, typer.Option(min=0, help="Which random graphs are forecast.")] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep service and agent running at the end, to look at the dashboard.")
    ] = False,
) -> None:
    """Measure this machine, adapt the predictor to it, and print forecasts beside measurements.

    Starts a service on SQLite and an agent, has ten graphs measured, adapts, forecasts twenty graphs that were never
    measured, measures them too, and compares. Takes a few minutes; one interrupt ends everything it started. The
    dashboard shows all of it while it runs, and with --keep until an interrupt.

    \b
    Examples:
      latcast demo
      latcast demo --data ./demo --json figures.json
      latcast demo --keep
    """
    global out  # noqa: PLW0603 - with `--json -` standard output belongs to the JSON
    out = output(stderr=json_out == "-")
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a script started us with interrupts ignored
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="latcast-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        show_machine()
        client, target_id = stack.enter_context(system(folder.resolve()))
        baseline_ms = adapt_to(client, target_id, samples=samples, sampler=sampler)
        figures = compare(client, target_id, seed=seed, baseline_ms=baseline_ms)
        if json_out is not None:
            write_json(figures, json_out)
        show_dashboard(client.base_url, target_id, keep=keep)


def show_dashboard(url: str, target_id: str, *, keep: bool) -> None:
    """Say where the dashboard is; where it is kept, until somebody interrupts."""
    heading("Dashboard")
    place = f"{url}/ui/#/targets/{target_id}/quality"
    if not keep:
        say(f"It was at {place} while this ran: `scripts/demo --keep` leaves it there.", out)
        return
    say(f"Look at {place} (an interrupt ends it).", out)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def heading(text: str) -> None:
    """A step begins."""
    say("", out)
    say(text, out, style="bold")


def show_machine() -> None:
    """What this machine is, and what it can count."""
    from profilers.counters import counter_names, get_counter_reader
    from profilers.host.device import describe_device

    heading("This machine")
    device = describe_device()
    pairs = [
        ("processor", f"{device.processor} ({device.machine}), {counted(device.logical_cores, 'logical core')}"),
        ("memory", f"{device.memory_bytes / 2**30:.1f} GiB"),
        ("caches", ", ".join(f"{level} {size(held)}" for level, held in device.cache_bytes.items())),
        ("features", " ".join(device.features) or "none that matter here"),
        ("system", device.system),
    ]
    for counters in counter_names():
        pairs += _counters(counters, get_counter_reader(counters))
    print_pairs(pairs, out=out)


def _counters(reader_name: str, reader: "CounterReader") -> "Iterator[tuple[str, str]]":
    """What a reader counts here, and what it does not and why; closes it."""
    with closing(reader):
        probe = reader.probe()
        counted = ", ".join(reader.events) if probe.ok and reader.events else probe.reason
        yield f"counters: {reader_name}", counted
        for why in sorted(set(reader.absent.values())):
            events = [event for event, because in reader.absent.items() if because == why]
            yield "", f"not {', '.join(events)}: {why}"


@contextmanager
def system(folder: Path) -> "Iterator[tuple[Client, str]]":
    """A service and an agent, and the target that the agent registered; both end with the block."""
    from latcast.client import Client
    from service.cli.demo.processes import free_port, running, wait_for

    heading("Service and agent")
    url = f"http://127.0.0.1:{(port := free_port())}"
    serve_log, agent_log = folder / "serve.log", folder / "agent.log"
    serve = ["serve", "--port", str(port), "--data-dir", str(folder)]
    agent = ["agent", "--server", url, "--state", str(folder / "agent")]
    with running(serve, log=serve_log) as server, Client(url) as client:
        wait_for(lambda: is_ready(client), process=server, log=serve_log, what="The service")
        say(f"Service at {url} (SQLite in {folder}); its dashboard is {url}/ui/ while this runs.", out)
        with running(agent, log=agent_log) as worker:
            target = wait_for(lambda: offered(client), process=worker, log=agent_log, what="The agent")
            say(f"Agent registered target {target['id']}: {target['label']}.", out)
            yield client, target["id"]


def is_ready(client: "Client") -> bool:
    """Whether the service answers and can work."""
    try:
        return bool(client.readiness()["ready"])
    except LatcastError:
        return False


def offered(client: "Client") -> dict[str, Any] | None:
    """The target that an agent offers now."""
    return next((target for target in client.targets() if target["offered"]), None)


def adapt_to(client: "Client", target_id: str, *, samples: int, sampler: str) -> float | None:
    """Have the support set measured and the predictor adapted; returns the sentinel's latency meanwhile, in ms."""
    heading(f"Adapting from {counted(samples, 'graph')}")
    started = time.perf_counter()
    job = client.adapt(target_id, samples=samples, sampler=sampler)
    result = follow(client, job["id"], what="measuring", console=out)["result"]
    say(
        f"Measured {counted(result['support'], 'graph')} in {time.perf_counter() - started:.0f} s, chosen by "
        "the sampler "
        f"{sampler!r}; adapted in {result['adapt_ms']:.0f} ms; {left_out_error(result)}.",
        out,
    )
    baseline_ms: float | None = result["sentinel_ms"]
    return baseline_ms


def compare(client: "Client", target_id: str, *, seed: int, baseline_ms: float | None) -> dict[str, Any]:
    """Forecast graphs that were never measured, then measure them; prints the table and returns the figures."""
    from latcast import item
    from service.cli.demo.comparison import compared, evaluation_graphs, figures

    graphs = evaluation_graphs(seed)
    heading(f"Forecasting {counted(len(graphs), 'graph that was', 'graphs that were')} never measured")
    items = [item(space=graph.space, text=graph.text, onnx=graph.onnx) for graph in graphs]
    started = time.perf_counter()
    answers = client.predict(target_id, items)
    forecast_s = time.perf_counter() - started
    for graph, answer in zip(graphs, answers, strict=True):
        if "error" in answer:
            raise LatcastError(f"{graph.name}: {answer['error']['detail']}")
    new = [(graph, answer) for graph, answer in zip(graphs, answers, strict=True) if answer["source"] == "predicted"]
    say(f"{counted(len(new), 'forecast')} in {forecast_s:.2f} s. Now measuring the same graphs …", out)
    started = time.perf_counter()
    measured = measure_all(client, target_id, [graph for graph, _ in new])
    measure_s = time.perf_counter() - started
    comparisons = compared(new, measured, baseline_ms=baseline_ms)
    result = figures(comparisons, measure_s=measure_s, forecast_s=forecast_s)
    show(comparisons, result)
    return result


def measure_all(client: "Client", target_id: str, graphs: "list[Named]") -> "dict[str, Measurement]":
    """Measurements of every graph that could be measured, by name; says which could not."""
    models = [graph for graph in graphs if graph.onnx is not None]
    architectures = [graph for graph in graphs if graph.onnx is None]
    jobs = client.profile(
        target_id,
        graphs=[client.upload_graph(graph.onnx or b"")["hash"] for graph in models],
        architectures=[(graph.space or "", graph.text or "") for graph in architectures],
    )
    graph_of = {job["id"]: graph.name for job, graph in zip(jobs, [*models, *architectures], strict=True)}
    measured: dict[str, Measurement] = {}

    def on_done(job: dict[str, Any]) -> None:
        name = graph_of[job["id"]]
        if job["state"] != JobState.DONE:
            say(f"    failed     {shortened(name, LONGEST_LINE)}: {reason(job)}", out)
            return
        measurement = client.measurement(job["result"]["measurement_id"])
        if (summary := measurement.summary) is not None:
            measured[name] = measurement
            say(f"{duration(summary.median_ms):>13}  {shortened(name, LONGEST_LINE)}", out)

    follow_all(client, list(graph_of), what="measuring", console=out, on_done=on_done)
    return measured


def show(comparisons: "list[Comparison]", result: dict[str, Any]) -> None:
    """The table, and what it comes to."""
    heading("Forecast and truth")
    headers = ("forecast", "90 % interval", "measured", "error")
    rows = [_compared(item) for item in sorted(comparisons, key=lambda item: item.measured_ms)]
    print_table([names("graph"), *map(numbers, headers), Column("")], rows, out=out)
    say("Times in ms. * the measurement lies outside the interval.", out)
    drift = result["host_drift"]
    if abs(drift) > WORTH_SAYING:
        slower = "slower" if drift > 0 else "faster"
        say(
            f"This machine was {abs(drift):.0%} {slower} meanwhile than during adaptation, by the sentinel that runs "
            "beside every measurement; measured times are stated at the speed it had then.",
            out,
        )
    say(
        f"median APE {result['median_ape']:.1%} · within ±10 % {result['within_10']:.0%} · within ±20 % "
        f"{result['within_20']:.0%} · Spearman {result['spearman']:.3f} · "
        f"in the 90 % interval {result['coverage_90']:.0%}",
        out,
    )
    say(
        f"measuring {counted(len(comparisons), 'graph')} took {result['measure_s']:.0f} s, forecasting them "
        f"{result['forecast_s']:.2f} s: {result['measure_s'] / result['forecast_s']:.0f} times faster",
        out,
    )


def _compared(item: "Comparison") -> tuple[str, ...]:
    """A row of the table: a comparison's name, shortened to one line, and its figures."""
    low, high = item.interval_ms
    inside = low <= item.measured_ms <= high
    return (
        shortened(item.name, LONGEST_NAME),
        f"{item.forecast_ms:.4g}",
        f"{low:.3g} – {high:.3g}",
        f"{item.measured_ms:.4g}",
        f"{item.error:+.1%}",
        "" if inside else "*",
    )
