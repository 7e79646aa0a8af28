"""`latcast fleet`: devices, targets and graphs are taken out of sight, brought back, renamed and merged."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.loops.target_names import named_target
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.groups import Group
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import output, say

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["fleet"]

fleet = typer.Typer(
    cls=Group,
    help="Hide, show, rename and merge devices, targets and graphs. Needs an admin's key.",
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What can be hidden."""

    DEVICE = "device"
    TARGET = "target"
    GRAPH = "graph"


class Mergeable(StrEnum):
    """What can be merged."""

    DEVICE = "device"
    TARGET = "target"


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Its id, or its hash or the beginning of it; of a device also its name, of a target words of device and "
        "label.",
    ),
]


@fleet.command("hide")
def hide(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Name,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Take a device, target or graph out of sight, with what was measured; `latcast db prune` deletes it later.

    A device goes with its targets and its agents' keys; open jobs are cancelled. It comes back by `latcast fleet show`,
    or when it registers again, a graph when it is uploaded again.

    \b
    Examples:
      latcast fleet hide device old-pi
      latcast fleet hide target 7f31c0ffee123456
      latcast fleet hide target 'pi openvino bf16'
    """
    with open_client(server, key) as client:
        done = client.hide(f"{kind.value}s", _named(client, kind.value, name))  # type: ignore[arg-type]
    deliver(done, json_out, lambda: say(f"The {kind.value} {_shown(done, name)} is hidden.", output()))


@fleet.command("show")
def show(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Its id, its hash or the beginning of it, of a target also words of device and label; `latcast "
            "devices --hidden` and `latcast targets --hidden` list them.",
        ),
    ],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Bring a hidden device, target or graph back, with what went with it.

    \b
    Example:
      latcast fleet show device 0123456789abcdef
    """
    with open_client(server, key) as client:
        done = client.show(f"{kind.value}s", _named(client, kind.value, name, hidden=True))  # type: ignore[arg-type]
    more = " Its agent needs a new key: latcast keys enrol --device ID." if kind == Kind.DEVICE else ""
    deliver(done, json_out, lambda: say(f"The {kind.value} {_shown(done, name)} is back.{more}", output()))


@fleet.command("rename")
def rename(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id or name.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name from now on; '' is what its agent calls it.")],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Give a device a name, which it keeps whatever its agent calls it.

    \b
    Example:
      latcast fleet rename bench 'desk 4'
    """
    with open_client(server, key) as client:
        done = client.rename_device(device, name)
    deliver(done, json_out, lambda: say(f"{done['id']} is called {done['name']}.", output()))


@fleet.command("merge")
def merge(
    kind: Annotated[Mergeable, typer.Argument(help="What they are.")],
    name: Name,
    into: Annotated[str, typer.Argument(metavar="INTO", help="What takes everything over.")],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Give all measurements of a device or target to another one; this cannot be undone, so make a backup first.

    Devices have to have the same hardware: one machine that was registered twice. Targets may be of two versions of a
    runtime; those of public tables are not merged with others.

    \b
    Examples:
      latcast fleet merge device bench-2 bench
      latcast fleet merge target 7f31c0ffee123456 0123456789abcdef
    """
    with open_client(server, key) as client:
        former, latter = (_named(client, kind.value, one) for one in (name, into))
        done = client.merge(f"{kind.value}s", former, latter)  # type: ignore[arg-type]
    deliver(done, json_out, lambda: say(f"The {kind.value} {former} is part of {done['id']} now.", output()))


def _named(client: "Client", kind: str, name: str, *, hidden: bool = False) -> str:
    """The name that the service knows: of targets the id, for it knows them by nothing else."""
    return named_target(client.targets(hidden=hidden), name) if kind == Kind.TARGET else name


def _shown(done: Mapping[str, Any], name: str) -> str:
    """The name, with what people know it by, or how much went with it."""
    if "label" in done:
        return f"{done['id']} ({done['device_name']}, {done['label']})"
    return f"{done.get('graph', name)} ({counted(done['rows'], 'measurement')})" if "rows" in done else name
