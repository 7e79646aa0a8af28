"""What the commands share: the client, the database, and how a target is named."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from latcast.schema import InputError, UnknownNameError
from service.cli.tables import echo, output

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from latcast.client import Client
    from service.db.session import Database
    from service.settings import Settings

__all__ = [
    "WORTH_SAYING",
    "console",
    "find_target",
    "has_words",
    "named_target",
    "open_client",
    "open_database",
    "parse_pairs",
    "say_what_is_missing",
]

WORTH_SAYING = 0.03
"""Share by which a host has to drift before a report says so."""

_FORGOTTEN = (
    "The database {path} lacks {missing:,} of its newest changes or more: the file with -wal after its name was "
    "removed or exchanged, or an earlier copy is in its place. If that is not meant, stop now, put the files back, and "
    "start again; this is said once."
)

console = output(stderr=True)
"""Progress and remarks go to standard error; results go to standard output."""


def open_client(server: str, key: str | None) -> "Client":
    """A client of the service at `server`."""
    from latcast.client import Client

    return Client(server, key=key)


@contextmanager
def open_database(**options: Any) -> "Iterator[tuple[Database, Settings]]":
    """The database that `latcast serve` uses with the same settings, migrated; closed at the end.

    Args:
        options: settings by name; those that are None are read from the environment.

    Raises:
        InputError: settings or a database that cannot be used.
        UnavailableError: the database cannot be reached, read or written.
    """
    from latcast.errors import UnavailableError
    from service.db.failures import DATABASE_AWAY, cause_of
    from service.db.migrate import upgrade
    from service.db.session import Database, create_engine_for
    from service.settings import read_settings

    settings = read_settings(**options)
    database = Database(create_engine_for(settings))
    try:
        say_what_is_missing(database.engine)
        upgrade(database.engine)
        yield database, settings
    except DATABASE_AWAY as error:
        raise UnavailableError(f"{cause_of(error).sentence} Nothing was changed.") from error
    finally:
        database.close()


def say_what_is_missing(engine: "Engine") -> None:
    """Tell people that a database lacks what it had when it was used last.

    Raises:
        DBAPIError: it cannot be read.
    """
    from service.db.commit_note import missing_commits

    if missing := missing_commits(engine):
        echo(_FORGOTTEN.format(missing=missing, path=engine.url.database), err=True)


def parse_pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`["key=value"]` → `{"key": "value"}`.

    Args:
        texts: as given.
        option: that they were given to, for the message.

    Raises:
        typer.BadParameter: a text that is not of that form.
    """
    pairs = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise typer.BadParameter(f"{option} wants KEY=VALUE, not {text!r}.")
        pairs[key] = value
    return pairs


def find_target(targets: Sequence[Mapping[str, Any]], wanted: str | None) -> Mapping[str, Any]:
    """The one target that is meant.

    Args:
        targets: as the service lists them.
        wanted: an id, the beginning of one, a device's name, or words of device and label; None for the only target, or
            the only one that is offered. Of several that fit, the only one that is offered is meant.

    Raises:
        InputError: no target, or more than one, fits; the message lists them.
    """
    if not targets:
        raise InputError("The service knows no target yet: run `latcast agent` on the device to register one.")
    matches = list(targets) if wanted is None else _fitting(targets, wanted)
    if not matches:
        raise UnknownNameError("target", wanted or "", [target["id"] for target in targets])
    offered = [target for target in matches if target.get("offered")]
    if len(offered) == 1:
        return offered[0]
    if len(matches) > 1:
        raise InputError(f"Several targets fit; choose one with --target ID: {_listed(matches)}.")
    return matches[0]


def named_target(targets: Sequence[Mapping[str, Any]], wanted: str) -> str:
    """The id of the target that is meant, for what cannot be guessed at: of several that fit none is chosen.

    Args:
        targets: as the service lists them.
        wanted: as `find_target` takes it.

    Returns:
        The id; `wanted` as it is where none fits, which the service then says of targets that it does not list.

    Raises:
        InputError: several fit; the message lists them.
    """
    matches = _fitting(targets, wanted)
    if len(matches) > 1:
        raise InputError(f"Several targets fit {wanted!r}; name one by its id: {_listed(matches)}.")
    return str(matches[0]["id"]) if matches else wanted


def _listed(targets: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{target['id']} ({target['device_name']}, {target['label']})" for target in targets)


def _fitting(targets: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    """The targets of that id; else those whose id begins so or whose device has the name; else those with the words."""
    return (
        [target for target in targets if target["id"] == wanted]
        or [target for target in targets if target["id"].startswith(wanted) or target["device_name"] == wanted]
        or [target for target in targets if has_words(f"{target['device_name']} {target['label']}", wanted)]
    )


def has_words(text: str, wanted: str) -> bool:
    """Whether a text has every one of these words, in any order and case."""
    return bool(wanted.strip()) and set(wanted.casefold().split()) <= set(text.casefold().split())
