"""What `latcast profile` prints."""

from collections import defaultdict
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from latcast.schema import CounterReading, Device, Graph, KernelTiming, Measurement, Summary
from latcast.schema.counting import counted
from profilers.feeds import decided_remarks
from profilers.host.environment import stopped_by_quota
from profilers.onnx_graph.remarks import precision_of, remarks_of, unknown_macs
from service.cli.remarks import say_remarks
from service.cli.tables import Cell, names, numbers, output, print_pairs, print_table, say
from service.cli.units import count, duration, macs, milliseconds, parameters, rate, size

__all__ = ["print_report"]

UNSTEADY_IQR = 0.15
MOST_OPERATORS = 4
MOST_EVENTS = 3
"""Missing counters that are named; of more, the first is."""


def print_report(
    model: str, device: Device, graph: Graph, measurement: Measurement, *, kernels: int, console: Console | None = None
) -> None:
    """Print a successful measurement for people.

    Args:
        model: its name.
        device: where it ran.
        graph: what ran.
        measurement: with samples.
        kernels: how many kernels to list at most.
        console: where to; standard output by default.
    """
    out, summary = console or output(), measurement.summary
    assert summary is not None  # noqa: S101 - the caller made sure
    say(model, out, style="bold")
    say(f"{device.processor}, {measurement.target.label}", out)
    for title, rows in (
        ("latency", _latency_rows(measurement, summary)),
        ("model", _model_rows(graph, measurement, summary)),
        ("counters, for each run", _counter_rows(measurement.counters)),
    ):
        print_pairs(rows, out=out, title=title)
    if measurement.kernels:
        _print_kernels(measurement.kernels, kernels, out)
    elif kernels:
        reason = measurement.runs[0].no_kernels or "The backend gave none."
        say(f"No kernel timings. {reason}", out)
    say_remarks([("", (*remarks_of(graph), *decided_remarks(graph, measurement.feeds)))], out)


def _latency_rows(measurement: Measurement, summary: Summary) -> Iterator[tuple[str, Cell]]:
    processes = len(measurement.runs)
    yield "median", Text(duration(summary.median_ms), style="bold")
    yield "p10 … p90", f"{duration(summary.p10_ms)} … {duration(summary.p90_ms)}"
    yield "IQR", f"{duration(summary.iqr_ms)} ({summary.iqr_ms / summary.median_ms:.1%})"
    yield "samples", f"{summary.samples:,} in {counted(processes, 'process')}"
    yield "spread of processes", f"{summary.process_spread:.1%}"
    yield "steadiness", _steadiness(measurement, summary)


def _steadiness(measurement: Measurement, summary: Summary) -> Text:
    if measurement.after is not None and stopped_by_quota(measurement.after):
        after = measurement.after
        long = f" for {after.quota_throttled_s:.1f} s" if after.quota_throttled_s else ""
        return Text("noisy: the CPU quota of this container stopped the process in "
                    f"{after.quota_throttled_share:.0%} of its periods{long}; raise the quota (`docker run --cpus`, "
                    "`CPUQuota=`) and measure again", style="yellow")  # fmt: skip
    if measurement.noisy:
        return Text("noisy: the host was busy, or changed its speed, while it was measured; stop other programs and "
                    "measure again", style="yellow")  # fmt: skip
    if summary.iqr_ms > UNSTEADY_IQR * summary.median_ms:
        return Text("runs differ much within a process: the median may be off", style="yellow")
    return Text("steady" if measurement.sentinel_ms else "not watched")


def _model_rows(graph: Graph, measurement: Measurement, summary: Summary) -> Iterator[tuple[str, Cell]]:
    yield "nodes", f"{len(graph.nodes):,} ({_operators(graph)})"
    yield "precision of the file", precision_of(graph)
    unknown = unknown_macs(graph)
    yield "MACs", macs(graph.macs, unknown)
    yield "FLOPs", macs(graph.flops, unknown)
    yield "parameters", parameters(graph.parameters, graph.parameter_bytes)
    yield "activations", size(graph.activation_bytes)
    if not unknown:  # a part of the work says nothing of the whole
        yield "arithmetic intensity", f"{rate(graph.arithmetic_intensity)} FLOPs/byte"
        yield "achieved", f"{rate(graph.flops / summary.median_ms / 1e6)} GFLOP/s"
    yield "peak memory", f"{size(measurement.peak_memory_bytes)} (the whole process)"
    yield "loading", duration(measurement.runs[0].load_ms)


def _operators(graph: Graph) -> str:
    counts = [f"{count:,} {operator}" for operator, count in graph.operators.items()]
    rest = len(counts) - MOST_OPERATORS
    return ", ".join(counts[:MOST_OPERATORS]) + (f" and {counted(rest, 'more kind')}" if rest > 0 else "")


def _counter_rows(counters: CounterReading | None) -> Iterator[tuple[str, Cell]]:
    if counters is None:
        yield "none", "nothing was counted"
        return
    for event, value in counters.values.items():
        share = counters.running_ns[event] / max(1, counters.enabled_ns[event])
        partly = "" if share > 0.99 else f" (counted for {share:.0%} of the time)"
        # Events that are counted in ns say so in their names, which would be wrong beside a time in other units.
        shown = duration(value / 1e6) if _is_time(event) else count(value)
        yield event.removesuffix("-ns"), shown + partly
    reasons = defaultdict(list)
    for event, reason in counters.absent.items():
        reasons[reason].append(event)
    if reasons:
        yield "not counted", Text("; ".join(_absent(*item) for item in reasons.items()), style="dim")


def _absent(reason: str, events: list[str]) -> str:
    """Events that a machine lacks for one reason; JSON names them all."""
    listed = (
        ", ".join(events) if len(events) <= MOST_EVENTS else f"{events[0]} and {counted(len(events) - 1, 'more event')}"
    )
    return f"{listed}: {reason}"


def _is_time(event: str) -> bool:
    return event.endswith("-ns") or event == "task-clock"


def _print_kernels(timings: tuple[KernelTiming, ...], most: int, out: Console) -> None:
    columns = [names("operator"), names("inputs"), names("output"), numbers("share"), numbers("ms")]
    rows = [
        (timing.operator, _shapes(timing.input_shapes), _shapes(timing.output_shapes), f"{timing.share:.1%}",
         milliseconds(timing.time_ms))
        for timing in sorted(timings, key=lambda timing: -timing.share)[:most]
    ]  # fmt: skip
    title = f"kernels: {min(most, len(timings)):,} of {len(timings):,}, by share of the time"
    print_table(columns, rows, out=out, title=title)


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " ".join("×".join(map(str, shape)) or "scalar" for shape in shapes)
