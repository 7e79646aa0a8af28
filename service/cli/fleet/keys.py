"""`latcast keys`: API keys and enrolment tokens, made where the database is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.common import open_database
from service.cli.groups import Group
from service.cli.options import JsonOption
from service.cli.own_database import data_dir
from service.cli.results import deliver
from service.cli.tables import Column, echo, names, output, print_table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.db.tables import ApiKey
    from service.settings import Settings

__all__ = ["keys"]

keys = typer.Typer(
    cls=Group,
    help="Make, list and revoke API keys. Works on the database directly, with the settings of `latcast serve`.",
    no_args_is_help=True,
)


class KeyScope(StrEnum):
    """What a key allows."""

    ADMIN = "admin"
    CLIENT = "client"


@contextmanager
def _session() -> "Iterator[tuple[Session, Settings]]":
    """A write transaction on the migrated database: the configured one, else that of the running service."""
    with open_database(data_dir=data_dir()) as (database, settings), database.write.begin() as session:
        yield session, settings


@keys.command("create")
def create(
    scope: Annotated[KeyScope, typer.Option(help="admin: everything. client: forecasts, uploads and reading.")],
    name: Annotated[str, typer.Option(help="Whose key it is, for the list.")] = "",
    json_out: JsonOption = None,
) -> None:
    """Make a key and print it: this once, it cannot be had again.

    \b
    Examples:
      latcast keys create --scope admin --name ops
      latcast keys create --scope client --name 'search cluster' --json -
    """
    from service.fleet.access import create_key

    with _session() as (session, _):
        made, secret = create_key(session, scope=scope.value, name=name)
        document = {**_plain(made), "key": secret}
    deliver(document, json_out, lambda: echo(secret), secret=True)


@keys.command("enrol")
def enrol(
    device: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Let this registered device in again, which lost its key: its id, or its name if no other has it.",
        ),
    ] = None,
    json_out: JsonOption = None,
) -> None:
    """Make a token with which one device can register, and print it: it works once and expires.

    It admits a new device, or with --device the one that is named, whose earlier keys end when it registers.

    \b
    Examples (the second line on the device):
      latcast keys enrol
      latcast agent --server https://latcast.example --token latcast_…
      latcast keys enrol --device pi-07
    """
    from service.fleet.access import create_enrolment_token
    from service.fleet.registration import find_device

    with _session() as (session, settings):
        device_id = None if device is None else find_device(session, device).id
        made, secret = create_enrolment_token(session, ttl_s=settings.enrolment_ttl_s, device_id=device_id)
        document = {"token": secret, "device": device_id, "expires_unix_s": made.expires_unix_s}
    deliver(document, json_out, lambda: echo(secret), secret=True)
    echo(f"Valid for {settings.enrolment_ttl_s / 60:.0f} minutes.", err=True)


@keys.command("list")
def list_keys(json_out: JsonOption = None) -> None:
    """List the keys: id, scope, name, when they were made and revoked. The keys themselves are not kept.

    \b
    Example:
      latcast keys list --json -
    """
    from sqlalchemy import select

    from service.db.tables import ApiKey

    with _session() as (session, _):
        listed = [_plain(key) for key in session.scalars(select(ApiKey).order_by(ApiKey.id))]
    deliver(listed, json_out, lambda: _print(listed))


def _plain(key: "ApiKey") -> dict[str, Any]:
    """What is kept of a key, as JSON."""
    return {"id": key.id, "scope": key.scope, "name": key.name, "created_unix_s": key.created_unix_s,
            "revoked_unix_s": key.revoked_unix_s}  # fmt: skip


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (key["id"], key["scope"], key["name"], _date(key["created_unix_s"]), _date(key["revoked_unix_s"]))
        for key in listed
    ]
    columns = [Column("id"), Column("scope"), names("name"), Column("made (UTC)"), Column("revoked (UTC)")]
    print_table(columns, rows, out=output())


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As in `latcast keys list`.")],
    json_out: JsonOption = None,
) -> None:
    """Make a key useless from now on.

    \b
    Example:
      latcast keys revoke 01jd4v0q
    """
    from service.fleet.access import revoke_key

    with _session() as (session, _):
        document = _plain(revoke_key(session, key_id))
    deliver(document, json_out, lambda: echo(f"Key {key_id} is revoked.", err=True))


def _date(unix_s: float | None) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M") if unix_s else ""
