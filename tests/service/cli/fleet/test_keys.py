"""`latcast keys`: keys and tokens are printed once, listed without their secrets, and revoked."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from latcast.errors import NotFoundError
from latcast.schema import InputError
from service.cli.main import app
from service.operations import running
from service.operations.running import RunningService, leave_note


@pytest.fixture(autouse=True)
def _database(new_sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_DATABASE_URL", new_sqlite)
    monkeypatch.setenv("COLUMNS", "80")


def keys(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["keys", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_keys_are_made_listed_and_revoked() -> None:
    secret = keys("create", "--scope", "admin", "--name", "ops").stdout.strip()
    assert len(secret) > 40
    (header, row) = keys("list").stdout.splitlines()
    key_id, scope, name, *made = row.split()
    assert (scope, name) == ("admin", "ops")
    assert len(made) == 1, "the day on which it was made; it was not used, and does not end"
    assert secret not in row
    assert header.split() == ["id", "scope", "name", "made", "used", "ends"]
    assert f"Key {key_id} is revoked." in keys("revoke", key_id).stderr
    assert len(keys("list").stdout.splitlines()[1].split()) == 5


def test_a_long_name_is_listed_whole_at_80_columns() -> None:
    name = "the-search-cluster-of-the-second-floor-" * 3
    keys("create", "--scope", "admin", "--name", name)
    text = keys("list").stdout
    assert name in text
    assert [line for line in text.splitlines() if len(line) > 80 and line.strip() != name] == []


def test_a_key_is_revoked_by_the_beginning_or_end_of_its_id() -> None:
    for name in ("first", "second"):
        keys("create", "--scope", "admin", "--name", name)
    first, second = (line.split()[0] for line in keys("list").stdout.splitlines()[1:])
    with pytest.raises(InputError, match=f"Several keys fit '{first[:4]}': {first}, {second}"):
        keys("revoke", first[:4])  # ids begin with the time
    assert f"Key {second} is revoked." in keys("revoke", second[-8:]).stderr
    for short in ("", first[-3:]):
        with pytest.raises(NotFoundError):
            keys("revoke", short)


def test_a_key_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        keys("revoke", "nobody")


def test_a_token_for_a_device_names_one_that_is_there() -> None:
    with pytest.raises(NotFoundError, match="no device 'pi-07'"):
        keys("enrol", "--device", "pi-07")


def test_a_token_comes_with_the_time_that_it_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_ENROLMENT_TTL_S", "1800")
    first, second = keys("enrol"), keys("enrol")
    assert first.stdout.strip().startswith("latcast_")
    assert first.stdout != second.stdout
    assert first.stderr.strip() == "Valid for 30 minutes."


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting says where the database is; the folder that the command is in."""
    monkeypatch.delenv("LATCAST_DATABASE_URL")
    monkeypatch.setattr(running, "NOTES", tmp_path / "notes")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def running_in(folder: Path, *, own_url: bool = False) -> RunningService:
    return RunningService(address="http://x:1", data_dir=str(folder), own_url=own_url)


def test_the_running_services_database_is_found(unset: Path) -> None:
    with leave_note(running_in(unset / "there")):
        made = keys("create", "--scope", "admin", "--name", "ops")
        assert f"Works on {unset / 'there'}, the database of the service at http://x:1." in " ".join(
            made.stderr.split()
        )
        assert "ops" in keys("list").stdout
    assert (unset / "there" / "latcast.db").exists()
    assert not (unset / "here" / "latcast-data").exists()


def test_a_running_service_whose_database_only_its_settings_know_is_named(unset: Path) -> None:
    with (
        leave_note(running_in(unset, own_url=True)),
        pytest.raises(InputError, match=r"http://x:1.*LATCAST_DATABASE_URL"),
    ):
        keys("list")


def test_where_no_service_runs_it_is_said_which_database_it_is(unset: Path) -> None:
    folder = unset / "here" / "latcast-data"
    assert f"Makes a new database in {folder}: no running service" in " ".join(keys("list").stderr.split())
    assert f"Works on {folder}: no running service" in " ".join(keys("list").stderr.split())


def test_the_list_can_be_had_as_json() -> None:
    keys("create", "--scope", "admin", "--name", "naïve")
    (listed,) = json.loads(keys("list", "--json", "-").stdout)
    assert (listed["scope"], listed["name"], listed["revoked_unix_s"]) == ("admin", "naïve", None)


def test_what_is_made_and_revoked_can_be_had_as_json(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text("{}")
    file.chmod(0o644)
    shown = keys("create", "--scope", "admin", "--name", "ops", "--json", str(file)).stdout.strip()
    made = json.loads(file.read_text())
    assert (made["key"], made["scope"], made["name"]) == (shown, "admin", "ops")
    assert file.stat().st_mode & 0o777 == 0o600, "the file holds a secret"
    token = json.loads(keys("enrol", "--json", "-").stdout)
    assert token["token"].startswith("latcast_")
    assert token["device"] is None
    assert token["expires_unix_s"] > made["created_unix_s"]
    revoked = json.loads(keys("revoke", made["id"], "--json", "-").stdout)
    assert revoked["id"] == made["id"]
    assert revoked["revoked_unix_s"] >= made["created_unix_s"]


def test_a_key_is_rotated_with_what_belongs_to_it() -> None:
    keys("create", "--scope", "admin")
    made = json.loads(keys("create", "--scope", "measure", "--owner", "ada", "--days", "90", "--max-open-jobs", "5",
                           "--json", "-").stdout)  # fmt: skip
    rotated = keys("rotate", made["id"], "--overlap-hours", "2", "--json", "-")
    new = json.loads(rotated.stdout)
    assert "ends in 2 hours" in rotated.stderr
    assert new["key"] != made["key"]
    assert [new[name] for name in ("scope", "owner", "max_open_jobs")] == ["measure", "ada", 5]
    assert new["expires_unix_s"] - new["created_unix_s"] == pytest.approx(90 * 86_400, abs=60)
    (old,) = [key for key in json.loads(keys("list", "--json", "-").stdout) if key["id"] == made["id"]]
    assert old["expires_unix_s"] < new["expires_unix_s"]


def test_users_without_a_name_make_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1000660000")

    monkeypatch.setattr("service.cli.fleet.keys.getuser", nobody)
    assert keys("create", "--scope", "admin").exit_code == 0
