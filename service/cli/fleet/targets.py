"""`latcast targets`: what the service can forecast for, and what this machine can be."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from latcast.loops.target_names import has_words
from latcast.schema import to_plain
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.fleet.contenders import show_target
from service.cli.groups import Group
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, prose, say
from service.cli.units import ago

if TYPE_CHECKING:
    from latcast.schema import Device
    from profilers.targets import Kind

__all__ = ["targets"]


class Order(StrEnum):
    """What targets are sorted by."""

    DEVICE = "device"
    LABEL = "label"
    MEASUREMENTS = "measurements"
    NEWEST = "newest"


KEYS: dict[Order, Callable[[Mapping[str, Any]], Any]] = {
    Order.DEVICE: lambda target: (target["device_name"], target["label"]),
    Order.LABEL: lambda target: (target["label"], target["device_name"]),
    Order.MEASUREMENTS: lambda target: -target["measurements"],
    Order.NEWEST: lambda target: -target["created_unix_s"],
}


targets = typer.Typer(cls=Group, invoke_without_command=True)
targets.command("show")(show_target)


@targets.callback(invoke_without_command=True)
def list_targets(
    ctx: typer.Context,
    here: Annotated[
        bool, typer.Option("--here", help="List what this machine can be, and why not the rest; asks no service.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Only targets with these words in device or label.")
    ] = None,
    offered: Annotated[bool, typer.Option("--offered", help="Only targets that a device measures on now.")] = False,
    space: Annotated[str | None, typer.Option(help="Only imported tables of this search space.")] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Those that were hidden, instead of the others.")] = False,
    sort: Annotated[Order | None, typer.Option(help="What to sort by; the id where left out.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """List the service's targets: device × backend × precision × threads, and who forecasts for each.

    With --here, list instead what this machine can be measured as, by `latcast profile` or an agent: every backend and
    precision with its threads and options, and for those that are not possible what is missing.

    \b
    Examples:
      latcast targets --server http://farm:8321
      latcast targets --offered --device 'pi onnxruntime'
      latcast targets --space nasbench201 --sort measurements
      latcast targets --here
      latcast targets --hidden
      latcast targets show 3f0c
    """
    if ctx.invoked_subcommand is not None:
        return
    if here:
        _list_here(json_out)
        return
    with open_client(server, key) as client:
        known = client.targets(hidden=True) if hidden else client.targets()
        listed = _chosen(known, device=device, offered=offered, space=space, sort=sort)
    filtered = bool(device or offered or space or hidden)
    deliver(listed, json_out, lambda: _print_listed(listed, output(), filtered=filtered))


def _chosen(
    listed: Sequence[Mapping[str, Any]], *, device: str | None, offered: bool, space: str | None, sort: Order | None
) -> list[Mapping[str, Any]]:
    chosen = [
        target
        for target in listed
        if (device is None or has_words(f"{target['device_name']} {target['label']}", device))
        and (not offered or target["offered"])
        and (space is None or target["options"].get("space") == space)
    ]
    return sorted(chosen, key=KEYS[sort]) if sort else chosen


def _print_listed(listed: Sequence[Mapping[str, Any]], out: Console, *, filtered: bool = False) -> None:
    if not listed and filtered:
        say("No target fits; `latcast targets` lists all, with --hidden those that were hidden.", out)
        return
    if not listed:
        say("No targets yet: run `latcast agent` on a device.", out)
        return
    rows = [
        (target["id"], target["device_name"], target["label"], f"{target['measurements']:,}", _adapted(target),
         _presence(target))
        for target in listed
    ]  # fmt: skip
    columns = [Column("id"), names("device"), names("target"), numbers("measurements"), Column("adapted"),
               Column("last seen")]  # fmt: skip
    print_table(columns, rows, out=out)


def _presence(target: Mapping[str, Any]) -> str:
    """Whether an agent would measure on it now; nobody measures on an imported table."""
    if target["origin"]:
        return "a table"
    if target.get("online"):
        return "online"
    seen = ago(target.get("seen_unix_s"))
    return seen if target["offered"] else f"{seen}, not offered"


def _adapted(target: Mapping[str, Any]) -> str:
    """What forecasts rest on; a table's rows adapt its target without being asked."""
    if target["adaptation"]:
        return counted(target["adaptation"]["metrics"]["support"], "network")
    return "to its table" if target["origin"] else "no: latcast adapt"


def _list_here(json_out: str | None) -> None:
    from profilers.host.device import describe_device
    from profilers.targets import survey

    kinds = survey()
    deliver([to_plain(kind) for kind in kinds], json_out, lambda: _print_here(kinds, describe_device(), output()))


def _print_here(kinds: "Sequence[Kind]", device: "Device", out: Console) -> None:
    cores = counted(device.logical_cores, "logical core")
    say(f"{device.name}: {device.processor}, {cores}", out)
    _print_possible([kind for kind in kinds if not kind.reason], out)
    _print_impossible([kind for kind in kinds if kind.reason], out)


def _print_possible(kinds: "Sequence[Kind]", out: Console) -> None:
    """Print a row for each backend, for threads and options are the same in every precision."""
    rows = []
    for same in _groups(kinds, lambda kind: kind.backend):
        kind = same[0]
        options = "; ".join(f"{option}: {', '.join(values) or 'any text'}" for option, values in kind.options.items())
        threads = "1" if kind.most_threads == 1 else f"1-{kind.most_threads}"
        rows.append((f"{kind.backend} {kind.version}", _precisions(same), threads, options or "none"))
    columns = [Column("backend"), prose("precisions"), Column("threads"), prose("options, the default first")]
    print_table(columns, rows, out=out)


def _print_impossible(kinds: "Sequence[Kind]", out: Console) -> None:
    """Print a row for each reason, for a runtime that is missing is missing in every precision."""
    groups = _groups(kinds, lambda kind: (kind.backend, kind.reason))
    if groups:
        rows = [(same[0].backend, _precisions(same), same[0].reason) for same in groups]
        print_table([Column("not here"), prose("precisions"), prose("because")], rows, out=out)


def _groups(kinds: "Sequence[Kind]", key: "Callable[[Kind], object]") -> "list[list[Kind]]":
    groups: dict[object, list[Kind]] = {}
    for kind in kinds:
        groups.setdefault(key(kind), []).append(kind)
    return list(groups.values())


def _precisions(kinds: "Sequence[Kind]") -> str:
    return ", ".join(kind.precision for kind in kinds)
