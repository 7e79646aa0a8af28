"""`latcast db`: backup, restore, upgrade and check on the command line, on the configured database."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from latcast.errors import ConflictError
from latcast.schema import InputError
from service.cli.main import app
from service.db.migrate import head_revision
from service.db.session import Database, create_engine_for
from service.db.tables import Target
from service.settings import Settings

OLD = Path(__file__).parents[3] / "data" / "databases" / "0_1_open_adaptation.sqlite3"


@pytest.fixture(autouse=True)
def _database(new_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_DATABASE_URL", new_sqlite)


def db(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["db", *arguments], catch_exceptions=code != 0)
    assert result.exit_code == code, result.output
    return result


def test_a_copy_is_made_looked_at_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CliRunner().invoke(app, ["keys", "create", "--scope", "admin"], catch_exceptions=False)
    copy = tmp_path / "copy.db"
    assert "bytes" in db("backup", str(copy)).stdout
    assert "no problems" in db("check", str(copy)).stdout
    with pytest.raises(ConflictError, match="api_key"):
        db("restore", str(copy))
    monkeypatch.setenv("LATCAST_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert "2 rows of" in db("restore", str(copy)).stdout
    rows = json.loads(db("check", "--json", "-").stdout)["rows"]
    assert rows["api_key"] == 1


def test_pruning_says_what_goes_and_asks_what_may(new_sqlite: str) -> None:
    with pytest.raises(InputError, match="Say what may go"):
        CliRunner().invoke(app, ["db", "prune"], catch_exceptions=False)
    assert "There is nothing to delete." in db("prune", "--hidden-days", "0").stdout
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.write.begin() as session:
        session.add(Target(id="t", backend="b", record={}, hidden_unix_s=1.0))
    assert "would be deleted" in db("prune", "--hidden-days", "1", "--dry-run").stdout
    assert json.loads(db("prune", "--hidden-days", "1", "--json", "-").stdout)["rows"]["target"] == 1
    database.close()


def test_an_old_database_is_upgraded_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.db"
    shutil.copy(OLD, path)
    monkeypatch.setenv("LATCAST_DATABASE_URL", f"sqlite:///{path}")
    assert "latcast db upgrade" in db("check", code=1).stdout
    assert f"→ {head_revision()}." in db("upgrade").stdout
    assert "already" in db("upgrade").stdout
    db("check")


def test_what_is_damaged_has_exit_code_1(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    db("backup", str(copy))
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("INSERT INTO artifact VALUES ('d', x'00', 0)")
    found = db("check", str(copy), "--json", "-", code=1)
    assert json.loads(found.stdout)["problems"] == ["1 artifact differs from its digest: d."]


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        db("check", str(tmp_path / "nowhere.db"))
    (tmp_path / "text.db").write_text("not a database, but long enough to look at" * 20)
    with pytest.raises(InputError, match="no database of latcast"):
        db("check", str(tmp_path / "text.db"))
