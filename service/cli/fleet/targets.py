"""`latcast targets`: what the service can forecast for, and what this machine can be."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from latcast.schema import to_plain
from service.cli.common import DEFAULT_SERVER, KeyOption, ServerOption, open_client, write_json

if TYPE_CHECKING:
    from profilers.targets import Kind

__all__ = ["targets"]

JsonOption = Annotated[str | None, typer.Option("--json", metavar="OUT", help="Write JSON; - is standard output.")]


def targets(
    here: Annotated[
        bool, typer.Option("--here", help="List what this machine can be, and why not the rest; asks no service.")
    ] = False,
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
      latcast targets --here
    """
    if here:
        _list_here(json_out)
        return
    with open_client(server, key) as client:
        listed = client.targets()
    if json_out is not None:
        write_json(listed, json_out)
        return
    table = Table(Column("id", min_width=16), "device", "target", "measurements", "adapted")
    for target in listed:
        table.add_row(
            target["id"],
            target["device_name"],
            target["label"],
            str(target["measurements"]),
            _adapted(target),
        )
    Console().print(table if listed else "No targets yet: run `latcast agent` on a device.")


def _adapted(target: Mapping[str, Any]) -> str:
    """What forecasts rest on; a table's rows adapt its target without being asked."""
    if target["adaptation"]:
        return f"{target['adaptation']['metrics']['support']} networks"
    return "to its table" if target["origin"] else "no: latcast adapt"


def _list_here(json_out: str | None) -> None:
    from profilers.host.device import describe_device
    from profilers.targets import survey

    kinds = survey()
    if json_out is not None:
        write_json([to_plain(kind) for kind in kinds], json_out)
        return
    console, device = Console(highlight=False), describe_device()
    console.print(f"{device.name}: {device.processor}, {device.logical_cores} logical cores", markup=False)
    console.print(_possible([kind for kind in kinds if not kind.reason]))
    impossible = [kind for kind in kinds if kind.reason]
    if impossible:
        console.print(_impossible(impossible))


def _possible(kinds: "Sequence[Kind]") -> Table:
    """A row for each backend, for threads and options are the same in every precision."""
    table = Table("backend", "precision", "threads", "options, the default first")
    for same in _groups(kinds, lambda kind: kind.backend):
        kind = same[0]
        options = "\n".join(f"{option}={' '.join(values) or '…'}" for option, values in kind.options.items())
        threads = "1" if kind.most_threads == 1 else f"1-{kind.most_threads}"
        table.add_row(f"{kind.backend} {kind.version}", _precisions(same), threads, options or "none")
    return table


def _impossible(kinds: "Sequence[Kind]") -> Table:
    """A row for each reason, for a runtime that is missing is missing in every precision."""
    table = Table("not here", "precision", "because")
    for same in _groups(kinds, lambda kind: (kind.backend, kind.reason)):
        table.add_row(same[0].backend, _precisions(same), same[0].reason)
    return table


def _groups(kinds: "Sequence[Kind]", key: "Callable[[Kind], object]") -> "list[list[Kind]]":
    groups: dict[object, list[Kind]] = {}
    for kind in kinds:
        groups.setdefault(key(kind), []).append(kind)
    return list(groups.values())


def _precisions(kinds: "Sequence[Kind]") -> str:
    return "\n".join(kind.precision for kind in kinds)
