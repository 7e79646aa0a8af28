"""`latcast devices`: the machines that registered."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import ago

__all__ = ["devices"]

NONE_YET = "No devices yet: run `latcast agent` on one."


def devices(
    hidden: Annotated[bool, typer.Option("--hidden", help="Those that were hidden, instead of the others.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """List the registered machines, and when an agent of each last asked for work.

    \b
    Examples:
      latcast devices --server http://farm:8321
      latcast devices --hidden
    """
    with open_client(server, key) as client:
        listed = client.devices(hidden=hidden) if hidden else client.devices()
    none = "No device is hidden." if hidden else NONE_YET
    deliver(listed, json_out, lambda: print_devices(listed, output(), none=none))


def print_devices(listed: Sequence[Mapping[str, Any]], out: Console, *, none: str = NONE_YET) -> None:
    """Print machines as the service lists them, or what is said where there are none."""
    if not listed:
        say(none, out)
        return
    columns = [Column("id"), names("device"), names("processor"), numbers("cores"), Column("last seen")]
    rows = [
        (one["id"], one.get("name") or one["device"]["name"], one["device"]["processor"],
         str(one["device"]["logical_cores"]),
         "online" if one.get("online") else ago(one["seen_unix_s"]))
        for one in listed
    ]  # fmt: skip
    print_table(columns, rows, out=out)
