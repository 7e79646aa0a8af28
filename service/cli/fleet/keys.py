"""`latcast keys`: API keys and enrolment tokens, made where the database is."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.schema import InputError
from latcast.schema.counting import counted
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


HOUR_S, DAY_S = 3600.0, 86_400.0
SHORTEST_PART = 4
"""Characters of an id that may stand for it: nothing, as of a variable that is not set, stands for no key."""


class KeyScope(StrEnum):
    """What a key allows."""

    ADMIN = "admin"
    CLIENT = "client"
    MEASURE = "measure"


@contextmanager
def _session() -> "Iterator[tuple[Session, Settings]]":
    """A write transaction on the migrated database: the configured one, else that of the running service."""
    with open_database(data_dir=data_dir()) as (database, settings), database.write.begin() as session:
        yield session, settings


@keys.command("create")
def create(
    scope: Annotated[
        KeyScope,
        typer.Option(
            help="client: forecasts, uploads and reading. measure: that, and having things measured. admin: everything."
        ),
    ],
    name: Annotated[str, typer.Option(help="What the key is for, for the list.")] = "",
    owner: Annotated[str | None, typer.Option(help="Who answers for it.")] = None,
    days: Annotated[float | None, typer.Option(min=0, help="End after so many days; by default when revoked.")] = None,
    max_open_jobs: Annotated[int | None, typer.Option(min=0, help="Most jobs that wait or are worked on.")] = None,
    max_jobs_per_day: Annotated[int | None, typer.Option(min=0, help="Most jobs within 24 hours.")] = None,
    json_out: JsonOption = None,
) -> None:
    """Make a key and print it: this once, it cannot be had again.

    \b
    Examples:
      latcast keys create --scope admin --name ops
      latcast keys create --scope client --name 'search cluster' --json -
      latcast keys create --scope measure --name tuning --owner ada --days 90 \\
        --max-jobs-per-day 2000
    """
    from service.fleet.access import create_key
    from service.fleet.audit import record

    limits = {"owner": owner, "max_open_jobs": max_open_jobs, "max_jobs_per_day": max_jobs_per_day}
    expires = None if days is None else time.time() + days * DAY_S
    with _session() as (session, _):
        made, secret = create_key(
            session,
            scope=scope.value,
            name=name,
            owner=owner,
            expires_unix_s=expires,
            max_open_jobs=max_open_jobs,
            max_jobs_per_day=max_jobs_per_day,
        )
        record(session, None, "keys.create", made.id, scope=scope.value, name=name, by=_user(), **limits)
        document = {**_plain(made), "key": secret}
    deliver(document, json_out, lambda: echo(secret), secret=True)


@keys.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As in `latcast keys list`.")],
    overlap_hours: Annotated[float, typer.Option(min=0, help="How long the old key goes on.")] = 24.0,
    json_out: JsonOption = None,
) -> None:
    """Make a key in place of an old one, which ends after a while, and print it: this once, it cannot be had again.

    The new one has the scope, name, owner and limits of the old one.

    \b
    Example:
      latcast keys rotate 01jd4v0q --overlap-hours 48
    """
    from service.fleet.access import rotate_key
    from service.fleet.audit import record

    with _session() as (session, _):
        made, secret = rotate_key(session, key_id, overlap_s=overlap_hours * HOUR_S)
        record(session, None, "keys.rotate", key_id, new=made.id, by=_user())
        document = {**_plain(made), "key": secret}
    deliver(document, json_out, lambda: echo(secret), secret=True)
    echo(f"Key {key_id} ends in {counted(overlap_hours, 'hour')}.", err=True)


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
    from service.fleet.audit import record
    from service.fleet.registration import find_device

    with _session() as (session, settings):
        device_id = None if device is None else find_device(session, device).id
        made, secret = create_enrolment_token(session, ttl_s=settings.enrolment_ttl_s, device_id=device_id)
        record(session, None, "keys.enrol", device_id or "", by=_user())
        document = {"token": secret, "device": device_id, "expires_unix_s": made.expires_unix_s}
    deliver(document, json_out, lambda: echo(secret), secret=True)
    echo(f"Valid for {counted(round(settings.enrolment_ttl_s / 60), 'minute')}.", err=True)


@keys.command("list")
def list_keys(json_out: JsonOption = None) -> None:
    """List the keys: what they are for, and when they were made, last used and end. The keys themselves are not kept.

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
    kept = ("id", "name", "owner", "created_unix_s", "expires_unix_s", "last_used_unix_s", "revoked_unix_s",
            "max_open_jobs", "max_jobs_per_day")  # fmt: skip
    return {"scope": key.granted, **{name: getattr(key, name) for name in kept}}


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (key["id"], key["scope"], _name(key), _date(key["created_unix_s"]), _date(key["last_used_unix_s"]), _end(key))
        for key in listed
    ]
    columns = [Column("id"), Column("scope"), names("name"), Column("made"), Column("used"), Column("ends")]
    print_table(columns, rows, out=output())


def _name(key: Mapping[str, Any]) -> str:
    return f"{key['name']} ({key['owner']})" if key["owner"] else key["name"]


def _end(key: Mapping[str, Any]) -> str:
    ends = [at for at in (key["revoked_unix_s"], key["expires_unix_s"]) if at is not None]
    return _date(min(ends, default=None))


@keys.command("revoke")
def revoke(
    key: Annotated[
        str, typer.Argument(metavar="ID", help="As in `latcast keys list`: the id, or its beginning or end.")
    ],
    json_out: JsonOption = None,
) -> None:
    """Make a key useless from now on.

    \b
    Example:
      latcast keys revoke 01jd4v0q
    """
    from service.fleet.access import revoke_key
    from service.fleet.audit import record

    with _session() as (session, _):
        key_id = _whole_id(session, key)
        document = _plain(revoke_key(session, key_id))
        record(session, None, "keys.revoke", key_id, by=_user())
    deliver(document, json_out, lambda: echo(f"Key {key_id} is revoked.", err=True))


def _whole_id(session: "Session", part: str) -> str:
    """The id of the key that is meant; what fits none comes back as it is, and is refused by whoever looks for it.

    Raises:
        InputError: several keys fit.
    """
    from sqlalchemy import select

    from service.db.tables import ApiKey

    listed = list(session.scalars(select(ApiKey.id).order_by(ApiKey.id)))
    fitting = [one for one in listed if one == part] or [
        one for one in listed if len(part) >= SHORTEST_PART and (one.startswith(part) or one.endswith(part))
    ]
    if len(fitting) > 1:
        raise InputError(f"Several keys fit {part!r}: {', '.join(fitting[:10])}.")
    return fitting[0] if fitting else part


def _user() -> str:
    """Who runs this, for the audit: the name, or the number of a user who has none, as in some containers."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _date(unix_s: float | None) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d") if unix_s else ""
