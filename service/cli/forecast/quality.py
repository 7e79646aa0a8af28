"""`latcast quality`: how well a target is forecast, on what was measured there."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console

from latcast.loops.target_names import find_target
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption, TargetOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import ago, milliseconds

__all__ = ["print_over_time", "print_quality", "quality"]

WITHIN = 0.1
AS_NAMED = ("", "fp32")
"""Precisions of files that need no column: theirs is the target's, or nobody knows it."""


def quality(
    target: TargetOption = None,
    most: Annotated[int, typer.Option(min=0, help="How many networks to list, the worst first.")] = 20,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Compare what was measured on a target with its forecasts, the worst first.

    Networks of the support set are marked: the forecaster was adapted to them, so that the errors counted are those of
    the others.

    Each measurement of a network that was new is also kept beside the forecast that stood until then. These tell, over
    time, how many of the intervals held, how far forecasts were off, and whether the machine's speed has moved.

    \b
    Examples:
      latcast quality
      latcast quality --target 'pi onnxruntime' --most 100
    """
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target)
        found = client.quality_over_time(registered["id"])
    deliver(found, json_out, lambda: _show(registered, found, most))


def _show(target: Mapping[str, Any], found: Mapping[str, Any], most: int) -> None:
    out = output()
    say(f"{target['device_name']} · {target['label']}", out, style="bold")
    adaptation = target.get("adaptation") or {}
    if warning := adaptation.get("warning"):
        say(warning, out, style="yellow")
    if found["pairs"]:
        print_over_time(found["over_time"], out=out)
    print_quality(found["pairs"], most=most, out=out)


def print_over_time(record: Mapping[str, Any], *, out: Console) -> None:
    """Print what became of forecasts.

    Args:
        record: `over_time` of what the service says of a target's quality.
        out: where to.
    """
    for flag in record["flags"]:
        say(flag, out, style="yellow")
    if not record["scored"]:
        say("No forecast was measured later yet: each measurement of a new network is one.", out)
        return
    say(_over_time(record), out)
    columns = [names("until"), numbers("networks"), numbers("held"), numbers("median error"), numbers("too low by"),
               numbers("host")]  # fmt: skip
    rows = [
        (ago(period["until_unix_s"]), f"{period['scored']:,}", _share(period["coverage"]),
         f"{period['median_ape']:.1%}", f"{math.expm1(period['bias']):+.1%}", _drift(period["host_drift"]))
        for period in record["periods"]
    ]  # fmt: skip
    print_table(columns, rows, out=out, title="forecasts that were measured later")


def _over_time(record: Mapping[str, Any]) -> str:
    held = ""
    if record["coverage"] is not None:
        low, high = record["band"]
        held = (
            f"{record['coverage']:.0%} of their {record['level']:.0%} intervals held "
            f"(chance: {low:.0%} to {high:.0%}), widths × {record['interval_scale']:.2f}; "
        )
    host = record["host"]
    speed = f"; the host takes {host['drift']:.0%} of the time it took when adapted to" if host else ""
    return (
        f"The last {record['judged']:,} of {counted(record['scored'], 'forecast')} that were measured later: {held}"
        f"median error {record['median_ape']:.1%}{speed}."
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _drift(value: float | None) -> str:
    return "" if value is None else f"× {value:.2f}"


def print_quality(pairs: Sequence[Mapping[str, Any]], *, most: int, out: Console) -> None:
    """Print measured networks beside their forecasts.

    Args:
        pairs: as the service lists them.
        most: how many to list.
        out: where to.
    """
    if not pairs:
        say("Nothing was measured there yet: `latcast measure` and `latcast adapt` do.", out)
        return
    say(_summary(pairs), out)
    worst = sorted(pairs, key=lambda pair: -abs(_error(pair)))[:most]
    files = [Column("file")] if any(pair.get("file_precision") not in (None, *AS_NAMED) for pair in worst) else []
    columns = [names("network"), numbers("measured ms"), numbers("forecast ms"), numbers("error"), *files,
               Column("support")]  # fmt: skip
    rows = [
        (_name(pair), milliseconds(pair["measured_ms"]), milliseconds(pair["predicted_ms"]), f"{_error(pair):+.1%}",
         *([pair.get("file_precision") or ""] if files else []), "yes" if pair["support"] else "")
        for pair in worst
    ]  # fmt: skip
    print_table(columns, rows, out=out, title=f"{len(worst):,} of {counted(len(pairs), 'network')}, the worst first")


def _summary(pairs: Sequence[Mapping[str, Any]]) -> str:
    errors = [abs(_error(pair)) for pair in pairs if not pair["support"]]
    support = len(pairs) - len(errors)
    if not errors:
        return (
            f"{counted(support, 'measured network is', 'measured networks are')} the whole support set: measure others "
            "to judge the forecasts."
        )
    within = sum(error <= WITHIN for error in errors) / len(errors)
    return (
        f"{counted(len(errors), 'network')} that it was not adapted to: median error {median(errors):.1%}, "
        f"{within:.0%} within {WITHIN:.0%}; {support:,} in the support set."
    )


def _error(pair: Mapping[str, Any]) -> float:
    return float(pair["predicted_ms"] / pair["measured_ms"] - 1)


def _name(pair: Mapping[str, Any]) -> str:
    return f"{pair['space']}/{pair['text']}" if pair.get("text") else str(pair["graph"])
