"""`latcast audit`: who did what on the service."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import Column, output, print_table, prose, say

__all__ = ["audit"]


def audit(
    by: Annotated[
        str | None, typer.Option("--by", metavar="KEY", help="Only what came with the key of this id.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this action, or those that begin so: `keys.`.")
    ] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="Only what was done to this.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """List who did what: keys, jobs, devices; the newest first. Needs an admin's key where there are keys.

    \b
    Examples:
      latcast audit
      latcast audit --action keys. --limit 10
    """
    filters = {name: value for name, value in (("key", by), ("action", action), ("subject", subject)) if value}
    with open_client(server, key) as client:
        listed = list(islice(client.audit(**filters), limit))
    deliver(listed, json_out, lambda: _print(listed))


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    if not listed:
        say("Nothing was done yet.", output())
        return
    columns = [Column("when (UTC)"), Column("key"), Column("action"), Column("to"), prose("detail")]
    print_table(columns, [_row(one) for one in listed], out=output())


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(one["at_unix_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    detail = ", ".join(
        f"{name} {value:,}" if type(value) is int else f"{name} {value}"
        for name, value in one["detail"].items()
        if value not in ("", None)
    )
    return at, one["key"] or "–", one["action"], one["subject"], detail
