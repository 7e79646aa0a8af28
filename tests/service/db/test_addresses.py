"""Addresses of databases: those that people write work, the others are sentences without their password."""

import pytest

from latcast.schema import InputError
from service.db.addresses import database_address, shown_address


@pytest.mark.parametrize("beginning", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_our_driver(beginning: str) -> None:
    url = database_address(f"{beginning}://me:p%40ss@host:5433/name?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    assert (url.password, url.host, url.port, url.database) == ("p@ss", "host", 5433, "name")
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("text", "database"),
    [("sqlite:///relative.db", "relative.db"), ("sqlite:////a/b.db", "/a/b.db"), ("sqlite://", None)],
)
def test_sqlite_is_a_path(text: str, database: str | None) -> None:
    assert database_address(text).database == database


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql+psycopg2://me:secret@h/x", "'postgresql\\+psycopg2'.*postgresql://user"),
        ("postgresql+asyncpg://me:secret@h/x", "through psycopg"),
        ("mysql://me:secret@h/x", "not in 'mysql'"),
        ("nonsense://me:secret@h/x", "not in 'nonsense'"),
        ("just secret text", "cannot be read.*sqlite:///file.db"),
        ("postgresql://me:secret@h:port/x", "cannot be read"),
        ("sqlite://relative.db", "three slashes"),
        ("postgresql://me:p@secret%word@127.0.0.1/x", "%40 for @"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_without_the_password(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        database_address(text)
    assert "secret" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    assert shown_address("postgres://me:secret@h/x") == "postgresql+psycopg://me:***@h/x"
