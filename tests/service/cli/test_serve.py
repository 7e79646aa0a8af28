"""`latcast serve`: the settings that its options make, and what it does before it listens."""

import socket
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from latcast.schema import InputError
from service.cli.main import app
from service.cli.serve import address_of
from service.db import tables
from service.db.session import create_engine_for
from service.fleet.access import create_key
from service.operations import running
from service.settings import Settings


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What would have been served."""
    monkeypatch.setattr(running, "NOTES", tmp_path / "notes")
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "service.api.door.connections.serve_http",
        lambda app, settings, **_: calls.append({"app": app.settings, "host": settings.host, "port": settings.port}),
    )
    identities = SimpleNamespace(is_agents=lambda _key: False)
    parts = SimpleNamespace(reader=SimpleNamespace(start_one=lambda: None), identities=identities)
    monkeypatch.setattr(
        "service.app.create_app",
        lambda settings, **_: SimpleNamespace(settings=settings, state=SimpleNamespace(parts=parts)),
    )
    monkeypatch.setattr("service.worker.embedded.supervisor.processes_beside", nullcontext)
    monkeypatch.setattr("service.operations.logs.configure_logs", lambda _settings: None)
    return calls


def serve(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["serve", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stderr.split())


def test_options_win_over_the_environment(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATCAST_PORT", "9001")
    monkeypatch.setenv("LATCAST_DATA_DIR", str(tmp_path / "elsewhere"))
    serve("--data-dir", str(tmp_path / "data"), "--require-keys")
    (call,) = served
    settings = call["app"]
    assert (settings.port, settings.data_dir, settings.require_keys) == (9001, tmp_path / "data", True)
    assert (call["host"], call["port"]) == ("127.0.0.1", 9001)


def test_the_folder_is_made_and_the_database_migrated(served: list[dict[str, Any]], tmp_path: Path) -> None:
    serve("--data-dir", str(tmp_path / "a" / "b"))
    engine = create_engine_for(served[0]["app"])
    with Session(engine) as session:
        assert create_key(session, scope="admin", name="ops")
    engine.dispose()


def test_an_open_address_needs_a_key(served: list[dict[str, Any]], tmp_path: Path) -> None:
    open_to_all = ("--data-dir", str(tmp_path), "--host", "0.0.0.0")
    with pytest.raises(InputError, match=r"Refusing to listen on 0\.0\.0\.0 without keys.*latcast keys create"):
        serve(*open_to_all)
    assert served == []
    engine = create_engine_for(Settings(data_dir=tmp_path))
    with Session(engine) as session, session.begin():
        create_key(session, scope="admin", name="ops")
    engine.dispose()
    serve(*open_to_all)
    assert served[0]["host"] == "0.0.0.0"


def test_it_says_where_it_is_where_its_data_is_and_what_is_next(served: list[dict[str, Any]], tmp_path: Path) -> None:
    said = serve("--data-dir", str(tmp_path / "data"))
    assert (
        f"latcast serves http://127.0.0.1:8321 (described at http://127.0.0.1:8321/docs), with its data in {tmp_path}"
        in said
    )
    assert "Next: `latcast agent` on a device, then `latcast adapt`." in said
    said = serve("--data-dir", str(tmp_path / "data"), "--port", "9000", "--require-keys")
    assert "`latcast agent --server http://127.0.0.1:9000 --token $(latcast keys enrol)`" in said


def test_others_reach_an_open_address_by_the_hosts_name() -> None:
    assert address_of("0.0.0.0", 80) == f"http://{socket.gethostname()}:80"
    assert address_of("::1", 80) == "http://[::1]:80"


def test_while_it_runs_its_folder_can_be_found(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    serving = "service.api.door.connections.serve_http"
    monkeypatch.setattr(serving, lambda *_args, **_options: seen.extend(running.running_services()))
    serve("--data-dir", str(tmp_path / "data"))
    assert (seen[0].data_dir, seen[0].own_url) == (str(tmp_path / "data"), False)
    assert running.running_services() == []


@pytest.mark.parametrize("address", ["sqlite:///relative.db", "sqlite:///{folder}/whole.db", "postgres", "postgresql"])
def test_addresses_of_databases_as_people_write_them(
    address: str, served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if "sqlite" not in address:
        address += "://" + request.getfixturevalue("new_postgres").partition("://")[2]
    said = serve("--database-url", address.format(folder=tmp_path))
    assert len(served) == 1
    assert "with its data in" in said
    engine = create_engine_for(served[0]["app"])
    with Session(engine) as session:
        assert session.scalars(select(tables.ApiKey)).all() == []
    engine.dispose()


def test_it_says_what_its_database_lacks(served: list[dict[str, Any]], tmp_path: Path) -> None:
    arguments = ["serve", "--data-dir", str(tmp_path / "data")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    note = tmp_path / "data" / "latcast.db-commits"
    name, count = map(int, note.read_text().split())
    note.write_text(f"{name:11d} {count + 7:11d}\n")
    printed = " ".join(CliRunner().invoke(app, arguments).output.split())
    assert "lacks 6 of its newest changes or more" in printed
    assert len(served) == 2
