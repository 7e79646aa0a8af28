"""What `latcast explain` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from predictors.explanation import ExplainedKernel, Explanation
    from service.cli.forecast.explain import Neighbour, Proposal
    from service.cli.forecast.explain_sources import Known

__all__ = ["print_explanation"]

COLOURS = {"compute": "green", "memory": "cyan", "launch": "yellow"}
LONGEST_NAME = 24
LARGEST_DISTANCE = 0.5


def print_explanation(
    name: str,
    known: "Known",
    explanation: "Explanation",
    neighbours: "Sequence[Neighbour]",
    proposals: "Sequence[Proposal]",
    *,
    kernels: int,
    out: Console,
) -> None:
    """Print an explanation for people.

    Args:
        name: of the model.
        known: the target.
        explanation: of the model's forecast on it.
        neighbours: measured graphs, the most alike first.
        proposals: for measuring, the most useful first.
        kernels: how many to list at most.
        out: where to.
    """
    out.print(f"[bold]{escape(name)}[/bold] on {escape(known.device)}, {escape(known.target.label)}")
    out.print(_forecast(explanation))
    if explanation.unknown_operators:
        out.print(f"[yellow]never seen in training: {escape(', '.join(explanation.unknown_operators))}[/yellow]")
    out.print(_peaks(explanation))
    out.print(_kernels(explanation, kernels))
    if neighbours:
        out.print(_neighbours(neighbours))
        if neighbours[0].distance > LARGEST_DISTANCE:
            out.print("[yellow]No measured graph spends its time like this one: treat the forecast with care.[/yellow]")
    if proposals:
        out.print(_proposals(proposals))


def _forecast(explanation: "Explanation") -> str:
    interval = explanation.interval_ms
    claim = f", 90 % interval {interval[0]:.3g} – {interval[1]:.3g} ms" if interval else ""
    bounds = ", ".join(f"{share:.0%} bound by {bound}" for bound, share in explanation.shares("bound").items())
    known = f"{explanation.coverage:.0%} of it in operators and sizes that training has seen"
    return f"forecast [bold]{explanation.latency_ms:.3f} ms[/bold]{claim}; {known}\n{bounds}"


def _peaks(explanation: "Explanation") -> str:
    peaks = explanation.peaks
    return (
        f"[dim]roofline: {peaks.gflops:.0f} GFLOP/s, {peaks.gbytes:.1f} GB/s (ridge at {peaks.ridge:.1f} FLOPs/byte), "
        f"{peaks.launch_ms * 1000:.1f} µs to launch a kernel[/dim]"
    )


def _kernels(explanation: "Explanation", most: int) -> Table:
    ordered = sorted(explanation.kernels, key=lambda kernel: -kernel.latency_ms)
    rest = sum(kernel.share for kernel in ordered[most:])
    title = f"kernels: {min(most, len(ordered))} of {len(ordered)}, by share of the forecast"
    table = _table(title)
    for header in ("operator", "class"):
        table.add_column(header, no_wrap=True)
    table.add_column("node", no_wrap=True, overflow="ellipsis", min_width=6)
    for header in ("share", "ms", "FLOP/B", "GFLOP/s", "bound by", "at best"):
        table.add_column(header, justify="right", no_wrap=True)
    for kernel in ordered[:most]:
        table.add_row(*_kernel(kernel))
    if rest > 0:
        table.add_row("others", "", "", f"{rest:.1%}", *[""] * 5)
    return table


def _kernel(kernel: "ExplainedKernel") -> list[str]:
    times = f" ×{kernel.repeats:g}" if kernel.repeats != 1 else ""
    colour = COLOURS[kernel.bound]
    return [
        escape(kernel.operator) + times,
        kernel.kind if kernel.known else f"[yellow]{kernel.kind} ?[/yellow]",
        escape(_shortened(kernel.nodes[-1] if kernel.nodes else "")),
        f"{kernel.share:.1%}",
        f"{kernel.latency_ms:.3f}",
        f"{kernel.intensity:.3g}",
        f"{kernel.gflops:.3g}",
        f"[{colour}]{kernel.bound}[/{colour}]",
        f"{kernel.efficiency:.0%}",
    ]


def _neighbours(neighbours: "Sequence[Neighbour]") -> Table:
    table = _table("measured graphs that spend their time alike", "graph")
    for header in ("measured ms", "alike"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in neighbours:
        table.add_row(escape(one.name), f"{one.measured_ms:.3f}", f"{1 - one.distance:.0%}")
    return table


def _proposals(proposals: "Sequence[Proposal]") -> Table:
    table = _table("to make this forecast surer, measure", "graph")
    for header in ("takes about ms", "variance it removes"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in proposals:
        name = escape(f"{one.space}/{one.text}")
        table.add_row(name, f"{one.forecast_ms:.3f}", f"{one.variance_removed:.0%}")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]
