"""What commands share: how a target is named, options of pairs, and the database of `serve`."""

from pathlib import Path

import pytest
import typer
from sqlalchemy import select

from service.cli.common import open_client, open_database, parse_pairs
from service.db import tables


def test_pairs_are_split_at_the_first_sign() -> None:
    assert parse_pairs(["a=1", "b=x=y", "a=2"], "--option") == {"a": "2", "b": "x=y"}
    assert parse_pairs([], "--option") == {}


@pytest.mark.parametrize("text", ["a", "=1", "a=", ""])
def test_a_text_that_is_no_pair_names_its_option(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"--option wants KEY=VALUE, not '{text}'"):
        parse_pairs([text], "--option")


def test_a_client_is_of_the_server_and_sends_the_key() -> None:
    with open_client("http://service:1", "secret") as client:
        assert client.key == "secret"


def test_a_database_that_is_not_there_is_made_and_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_ENROLMENT_TTL_S", "77")
    with open_database(data_dir=tmp_path / "new", database_url=None) as (database, settings):
        with database.read() as session:
            assert session.scalars(select(tables.ApiKey)).all() == []
        assert settings.data_dir == tmp_path / "new"
        assert settings.enrolment_ttl_s == 77
    assert list((tmp_path / "new").glob("*.db"))
