"""What `latcast explain` prints, whoever explained."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from latcast.schema.counting import counted
from service.cli.remarks import say_remarks, warnings_of
from service.cli.tables import Cell, names, numbers, print_table, say, say_whole
from service.cli.units import duration, milliseconds, rate

__all__ = ["print_explanation"]

Plain = Mapping[str, Any]
COLOURS = {"compute": "green", "memory": "cyan", "launch": "yellow"}
LARGEST_DISTANCE = 0.5


def print_explanation(document: Plain, *, kernels: int, out: Console) -> None:
    """Print an explanation for people.

    Args:
        document: `model` and `target` (`device`, `label`), `measure_with` (commands that measure what is proposed), and
            what `POST /targets/{id}/explain` answers.
        kernels: how many to list at most.
        out: where to.
    """
    target = document["target"]
    say(Text.assemble((document["model"], "bold"), f" on {target['device']}, {target['label']}"), out)
    say(_forecast(document), out)
    if document["unknown_operators"]:
        say(f"never seen in training: {', '.join(document['unknown_operators'])}", out, style="yellow")
    say_remarks([("", [*document.get("remarks", ()), *warnings_of(document)])], out)
    if document["kernels"]:
        _print_kernels(document, kernels, out)
    else:
        say(document["no_kernels"], out)
    if document["nearest"]:
        _print_nearest(document["nearest"], out)
    if document["measure_next"]:
        _print_proposals(document["measure_next"], out)
    for command in document.get("measure_with", []):
        say_whole(f"  {command}", out)


def _forecast(document: Plain) -> Text:
    interval = document["interval_ms"]
    level = document.get("level", 0.9) * 100
    claim = f", {level:.3g} % interval {duration(interval[0])} – {duration(interval[1])}" if interval else ""
    how = "measured" if document["source"] == "measured" else "forecast"
    return Text.assemble(f"{how} ", (duration(document["latency_ms"]), "bold"), f"{claim}; {_basis(document)}")


def _basis(document: Plain) -> str:
    if document["source"] == "measured":
        return f"{document['statistic']} of what was measured"
    adapted = f"adapted to {counted(document['measurements'], 'network')}" if document["adapted"] else "not adapted"
    training = f"{document['coverage']:.0%} of it in operators and sizes that were in training"
    return f"by {document['kind']}, {adapted}; {training}"


def _print_kernels(document: Plain, most: int, out: Console) -> None:
    kernels, peaks = document["kernels"], document["peaks"]
    if document["source"] == "measured":
        say(f"Without the measurement its kernels would be forecast to take {duration(document['kernels_ms'])}:", out)
    say(", ".join(f"{share:.0%} bound by {bound}" for bound, share in _shares(kernels).items()), out)
    say(
        f"roofline: {rate(peaks['gflops'])} GFLOP/s, {rate(peaks['gbytes'])} GB/s (ridge at {rate(peaks['ridge'])} "
        f"FLOPs/byte), {duration(peaks['launch_ms'])} to launch a kernel",
        out,
        style="dim",
    )
    ordered = sorted(kernels, key=lambda kernel: -kernel["latency_ms"])
    measured = any(kernel["measured_ms"] is not None for kernel in kernels)
    rows = [_kernel(kernel, measured=measured) for kernel in ordered[:most]]
    if rest := ordered[most:]:
        rows.append(_rest(rest, measured=measured))
    headers = ("share", "ms", *(["measured"] if measured else []), "FLOP/B", "GFLOP/s", "bound by", "at best")
    columns = [names("operator"), names("class"), names("node"), *map(numbers, headers)]
    title = f"kernels: {min(most, len(ordered)):,} of {len(ordered):,}, by share of the forecast"
    print_table(columns, rows, out=out, title=title)


def _shares(kernels: Sequence[Plain]) -> dict[str, float]:
    """Share of the time by what bounds it, the largest first."""
    shares: dict[str, float] = {}
    for kernel in kernels:
        shares[kernel["bound"]] = shares.get(kernel["bound"], 0.0) + kernel["share"]
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _kernel(kernel: Plain, *, measured: bool) -> list[Cell]:
    times = f" ×{kernel['repeats']:,g}" if kernel["repeats"] != 1 else ""
    return [
        kernel["operator"] + times,
        kernel["kind"] if kernel["known"] else Text(f"{kernel['kind']} ?", style="yellow"),
        kernel["nodes"][-1] if kernel["nodes"] else "",
        f"{kernel['share']:.1%}",
        milliseconds(kernel["latency_ms"]),
        *([milliseconds(kernel["measured_ms"])] if measured else []),
        f"{kernel['intensity']:.3g}",
        f"{kernel['gflops']:.3g}",
        Text(kernel["bound"], style=COLOURS[kernel["bound"]]),
        f"{kernel['efficiency']:.0%}",
    ]


def _rest(kernels: Sequence[Plain], *, measured: bool) -> list[Cell]:
    """What the kernels that are not listed come to."""
    share, latency_ms = (sum(kernel[key] for kernel in kernels) for key in ("share", "latency_ms"))
    seen = [kernel["measured_ms"] for kernel in kernels if kernel["measured_ms"] is not None]
    others = [milliseconds(sum(seen) if seen else None)] if measured else []
    return [counted(len(kernels), "other"), "", "", f"{share:.1%}", milliseconds(latency_ms), *others, "", "", "", ""]


def _print_nearest(nearest: Sequence[Plain], out: Console) -> None:
    rows = [(one["name"], milliseconds(one["measured_ms"]), f"{1 - one['distance']:.0%}") for one in nearest]
    columns = [names("network"), numbers("measured ms"), numbers("alike")]
    print_table(columns, rows, out=out, title="measured networks that spend their time alike")
    if nearest[0]["distance"] > LARGEST_DISTANCE:
        warning = "No measured network spends its time like this one: treat the forecast with care."
        say(warning, out, style="yellow")


def _print_proposals(proposals: Sequence[Plain], out: Console) -> None:
    rows = [
        (f"{one['space']}/{one['text']}", milliseconds(one["forecast_ms"]), f"{one['variance_removed']:.0%}")
        for one in proposals
    ]
    columns = [names("network"), numbers("takes about ms"), numbers("variance it removes")]
    print_table(columns, rows, out=out, title="to make this forecast surer, measure")
