"""What `latcast profile` prints."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from latcast.schema import CounterReading, Device, Graph, KernelTiming, Measurement, Summary

__all__ = ["print_report"]

PARAMETER_BYTES = 4
UNSTEADY_IQR = 0.15


def print_report(
    name: str, device: Device, graph: Graph, measurement: Measurement, *, kernels: int, console: Console | None = None
) -> None:
    """Print a successful measurement for people.

    Args:
        name: of the model.
        device: where it ran.
        graph: what ran.
        measurement: with samples.
        kernels: how many kernels to list at most.
        console: where to; standard output by default.
    """
    out, summary = console or Console(highlight=False), measurement.summary
    assert summary is not None  # noqa: S101 - the caller made sure
    out.print(f"[bold]{escape(name)}[/bold]")
    out.print(f"{escape(device.processor)}, {escape(measurement.target.label)}")
    for title, rows in (
        ("latency", _latency_rows(measurement, summary)),
        ("model", _model_rows(graph, measurement, summary)),
        ("counters, for each run", _counter_rows(measurement.counters)),
    ):
        out.print(_pairs_table(title, rows))
    timings = measurement.kernels
    if timings:
        out.print(_kernel_table(timings, kernels))
    elif kernels:
        out.print("The backend gave no kernel timings.")


def _pairs_table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=22)
    table.add_column()
    for label, value in rows:
        table.add_row(label, value)
    return table


def _latency_rows(measurement: Measurement, summary: Summary) -> Iterator[tuple[str, str]]:
    processes = len(measurement.runs)
    yield "median", f"[bold]{_ms(summary.median_ms)}[/bold]"
    yield "p10 … p90", f"{_ms(summary.p10_ms)} … {_ms(summary.p90_ms)}"
    yield "IQR", f"{_ms(summary.iqr_ms)} ({summary.iqr_ms / summary.median_ms:.1%})"
    yield "samples", f"{summary.samples} in {processes} process{'es' if processes > 1 else ''}"
    yield "spread of processes", f"{summary.process_spread:.1%}"
    yield "steadiness", _steadiness(measurement, summary)


def _steadiness(measurement: Measurement, summary: Summary) -> str:
    if measurement.noisy:
        return ("[yellow]noisy: the host was busy, or changed its speed, while it was measured; "
                "stop other programs and measure again[/yellow]")  # fmt: skip
    if summary.iqr_ms > UNSTEADY_IQR * summary.median_ms:
        return "[yellow]runs differ much within a process: the median may be off[/yellow]"
    return "steady" if measurement.sentinel_ms else "not watched"


def _model_rows(graph: Graph, measurement: Measurement, summary: Summary) -> Iterator[tuple[str, str]]:
    yield "nodes", f"{len(graph.nodes)} ({_operators(graph)})"
    yield "MACs", _count(graph.macs)
    yield "FLOPs", _count(graph.flops)
    yield "parameters", f"{_bytes(graph.parameter_bytes)} (about {_count(graph.parameter_bytes / PARAMETER_BYTES)})"
    yield "activations", _bytes(graph.activation_bytes)
    yield "arithmetic intensity", f"{graph.arithmetic_intensity:.1f} FLOPs/byte"
    yield "achieved", f"{graph.flops / summary.median_ms / 1e6:.1f} GFLOP/s"
    yield "peak memory", f"{_bytes(measurement.peak_memory_bytes)} (the whole process)"
    yield "loading", _ms(measurement.runs[0].load_ms)
    if graph.denormal_weights:
        yield "weights", "[yellow]some are denormal, which can slow a runtime tenfold[/yellow]"


def _operators(graph: Graph) -> str:
    found = list(graph.operators.items())
    return ", ".join(f"{count} {name}" for name, count in found[:4]) + (", …" if len(found) > 4 else "")


def _counter_rows(counters: CounterReading | None) -> Iterator[tuple[str, str]]:
    if counters is None:
        yield "none", "nothing was counted"
        return
    for event, value in counters.values.items():
        share = counters.running_ns[event] / max(1, counters.enabled_ns[event])
        counted = "" if share > 0.99 else f" (counted for {share:.0%} of the time)"
        yield event, (f"{value / 1e6:.3f} ms" if _is_time(event) else _count(value)) + counted
    reasons = defaultdict(list)
    for event, reason in counters.absent.items():
        reasons[reason].append(event)
    for reason, events in reasons.items():
        yield "not counted", f"[dim]{', '.join(events)}: {escape(reason)}[/dim]"


def _is_time(event: str) -> bool:
    return event.endswith("-ns") or event == "task-clock"


def _kernel_table(timings: tuple[KernelTiming, ...], most: int) -> Table:
    table = Table(title=f"kernels: {min(most, len(timings))} of {len(timings)}, by share of the time",
                  title_justify="left", title_style="bold", box=None, pad_edge=False)  # fmt: skip
    for header, side in (
        ("operator", "left"),
        ("inputs", "left"),
        ("output", "left"),
        ("share", "right"),
        ("ms", "right"),
    ):
        table.add_column(header, justify=side)  # type: ignore[arg-type]
    for timing in sorted(timings, key=lambda timing: -timing.share)[:most]:
        table.add_row(escape(timing.operator), _shapes(timing.input_shapes), _shapes(timing.output_shapes),
                      f"{timing.share:.1%}", f"{timing.time_ms:.3f}")  # fmt: skip
    return table


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " ".join("×".join(map(str, shape)) or "scalar" for shape in shapes)


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value >= 100 else f"{value:.3f} ms"


def _count(value: float) -> str:
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.2f}{unit}"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _bytes(value: float) -> str:
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value:.0f} B"
