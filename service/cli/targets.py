"""`latcast targets`: what the service can forecast for."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.common import DEFAULT_SERVER, KeyOption, ServerOption, open_client, write_json

__all__ = ["targets"]


def targets(
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: Annotated[
        str | None, typer.Option("--json", metavar="OUT", help="Write JSON; - is standard output.")
    ] = None,
) -> None:
    """List the service's targets: device × backend × precision × threads, and who forecasts for each.

    \b
    Example:
      latcast targets --server http://farm:8321
    """
    with open_client(server, key) as client:
        listed = client.targets()
    if json_out is not None:
        write_json(listed, json_out)
        return
    table = Table("id", "device", "target", "measurements", "adapted")
    for target in listed:
        adaptation = target["adaptation"]
        table.add_row(
            target["id"],
            target["device_name"],
            target["label"],
            str(target["measurements"]),
            f"{adaptation['metrics']['support']} graphs" if adaptation else "no: latcast adapt",
        )
    Console().print(table if listed else "No targets yet: run `latcast agent` on a device.")
