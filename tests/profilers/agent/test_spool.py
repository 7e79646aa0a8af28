"""Records on disk until they are safe elsewhere."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profilers.agent.spool import Spool
from tests.profilers.host.test_private_files import FOREIGN


def test_records_are_kept_until_they_are_dropped(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new")
    spool.keep("a", {"x": 1})
    spool.keep("b", {"x": 2})
    spool.keep("a", {"x": 3})
    assert sorted(record["x"] for record in Spool(tmp_path / "new").pending()) == [2, 3]
    spool.drop("a")
    spool.drop("a")
    assert [record["x"] for record in spool.pending()] == [2]


def test_keys_are_secrets_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    Spool(tmp_path).keep("a-secret-token", {"x": 1})
    (path,) = tmp_path.iterdir()
    assert "a-secret-token" not in path.name
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_no_record_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"x"')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    (tmp_path / "bytes.json").write_bytes(bytes(range(256)))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "draft.draft").write_text("{}")
    assert list(Spool(tmp_path).pending()) == []
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [*[".broken"] * 5, ".draft"]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_in_a_records_place_is_set_aside_and_the_others_are_read(
    tmp_path: Path, foreign: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe would keep the agent waiting, and a file without end would take its memory, at every start."""
    foreign(tmp_path / "foreign.json")
    Spool(tmp_path).keep("a", {"x": 1})
    assert list(Spool(tmp_path).pending()) == [{"x": 1}]
    assert os.path.lexists(tmp_path / "foreign.broken")
    assert "foreign.json is broken and set aside: " in caplog.text
