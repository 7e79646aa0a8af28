"""Commands that work without the service find its database: the configured one, else that of the running service."""

from pathlib import Path

import pytest
from sqlalchemy import text

from latcast.errors import UnavailableError
from latcast.schema import InputError
from service.cli.own_database import data_dir, open_engine
from service.operations import running
from service.operations.running import RunningService, leave_note


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATCAST_DATABASE_URL", raising=False)
    monkeypatch.delenv("LATCAST_DATA_DIR", raising=False)
    monkeypatch.setattr(running, "NOTES", tmp_path / "notes")
    monkeypatch.chdir(tmp_path)


def service(folder: Path, *, own_url: bool) -> RunningService:
    return RunningService(address="http://here", data_dir=str(folder), own_url=own_url)


def test_the_running_service_is_meant_where_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_dir() is None
    with leave_note(service(tmp_path / "there", own_url=False)):
        assert data_dir() == tmp_path / "there"
        with open_engine() as engine:
            assert engine.url.database == str(tmp_path / "there" / "latcast.db")
        monkeypatch.setenv("LATCAST_DATA_DIR", str(tmp_path / "mine"))
        assert data_dir() is None, "the settings count first"
    monkeypatch.delenv("LATCAST_DATA_DIR")
    with leave_note(service(tmp_path, own_url=True)), pytest.raises(InputError, match="LATCAST_DATABASE_URL"):
        data_dir()


def test_of_several_services_one_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (RunningService(address=f"http://x:{n}", data_dir=f"/srv/{n}", own_url=False) for n in (1, 2))
    monkeypatch.setattr(running, "running_services", lambda: [one, other])
    with pytest.raises(InputError, match=r"http://x:1 \(/srv/1\), http://x:2 \(/srv/2\)\. Set LATCAST_DATA_DIR"):
        data_dir()
    monkeypatch.setenv("LATCAST_DATA_DIR", str(tmp_path))
    assert data_dir() is None, "one is named"


def test_a_database_that_cannot_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latcast.db").write_text("not a database, but long enough to look at" * 20)
    monkeypatch.setenv("LATCAST_DATA_DIR", str(tmp_path))
    with pytest.raises(UnavailableError, match="damaged"), open_engine() as engine, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
