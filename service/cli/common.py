"""What the commands share: the client, the database, and how a target is named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from service.cli.tables import echo, output

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from latcast.client import Client
    from service.db.session import Database
    from service.settings import Settings

__all__ = [
    "WORTH_SAYING",
    "console",
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
