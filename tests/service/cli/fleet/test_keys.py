"""`latcast keys`: keys and tokens are printed once, listed without their secrets, and revoked."""

import pytest
from typer.testing import CliRunner, Result

from latcast.errors import NotFoundError
from service.cli.main import app


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
    assert len(made) == 2, "a day and an hour at which it was made, and none at which it was revoked"
    assert secret not in row
    assert header.split() == ["id", "scope", "name", "made", "(UTC)", "revoked", "(UTC)"]
    assert f"Key {key_id} is revoked." in keys("revoke", key_id).stderr
    assert len(keys("list").stdout.splitlines()[1].split()) == 7


def test_a_long_name_is_listed_whole_at_80_columns() -> None:
    name = "the-search-cluster-of-the-second-floor-" * 3
    keys("create", "--scope", "admin", "--name", name)
    text = keys("list").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert name in "".join(text.split())


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
