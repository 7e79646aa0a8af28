"""Records on disk until they are safe elsewhere."""

from pathlib import Path

from profilers.agent.spool import Spool


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
    (tmp_path / "draft.draft").write_text("{}")
    assert list(Spool(tmp_path).pending()) == []
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".broken", ".broken", ".draft"]
