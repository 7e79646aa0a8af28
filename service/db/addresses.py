"""Addresses of databases as people write them, made those that SQLAlchemy takes, or refused without their password."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from latcast.schema import InputError

__all__ = ["database_address", "shown_address"]

DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite+pysqlite": "sqlite"}
"""Beginnings that mean one of those that latcast uses."""
USED = ("postgresql+psycopg", "sqlite")
EXAMPLES = "Write postgresql://user:password@host/name, or sqlite:///file.db (the setting database_url)."


def database_address(text: str) -> URL:
    """The address for SQLAlchemy, with the driver that latcast uses.

    Raises:
        InputError: no address, or one of a database or driver that latcast does not use. No password is repeated.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"The database's address cannot be read. {EXAMPLES}") from error
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.drivername not in USED:
        raise InputError(
            f"latcast keeps its data in SQLite or, through psycopg, in PostgreSQL, not in {url.drivername!r}. "
            f"{EXAMPLES}"
        )
    if url.drivername == "sqlite" and url.host:
        raise InputError(f"After sqlite: come three slashes, four before an absolute path. {EXAMPLES}")
    if "@" in (url.host or ""):
        raise InputError(
            "The password in the database's address has an @ that ends it too early: write %40 for @, %25 for %, "
            "%2F for / and %3A for a colon."
        )
    return url


def shown_address(text: str) -> str:
    """The address without its password, for messages."""
    return database_address(text).render_as_string(hide_password=True)
