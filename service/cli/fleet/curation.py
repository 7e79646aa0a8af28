"""`latcast fleet`: devices, targets and graphs are taken out of sight, brought back, renamed and merged."""

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.common import open_client
from service.cli.groups import Group
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import echo

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


Name = Annotated[str, typer.Argument(metavar="NAME", help="Its id or hash; of a device also its name.")]


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
    """
    with open_client(server, key) as client:
        done = client.hide(f"{kind.value}s", name)  # type: ignore[arg-type]
    deliver(done, json_out, lambda: echo(f"The {kind.value} {name} is hidden."))


@fleet.command("show")
def show(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id or hash; `latcast devices --hidden` lists them.")],
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
        done = client.show(f"{kind.value}s", name)  # type: ignore[arg-type]
    more = " Its agent needs a new key: latcast keys enrol --device ID." if kind == Kind.DEVICE else ""
    deliver(done, json_out, lambda: echo(f"The {kind.value} {name} is back.{more}"))


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
    deliver(done, json_out, lambda: echo(f"{done['id']} is called {done['name']}."))


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
        done = client.merge(f"{kind.value}s", name, into)  # type: ignore[arg-type]
    deliver(done, json_out, lambda: echo(f"The {kind.value} {name} is part of {done['id']} now."))
