"""Values by key, kept on disk while a run lasts."""

from pathlib import Path

from predictors.evaluation.journal import Journal


def test_an_interrupted_run_finds_what_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.put("a", {"x": 1})
    journal.put("a", {"x": 2})
    journal.put("b", [3])
    again = Journal(path)
    assert (again.get("a"), again.get("b"), again.get("c")) == ({"x": 2}, [3], None)
    assert "a" in again
    assert "c" not in again
    assert len(again) == 2


def test_a_line_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    Journal(path).put("a", {"x": 1})
    with path.open("a") as file:
        file.write('{"key": "b", "val')
    again = Journal(path)
    again.put("c", 3)
    third = Journal(path)
    assert (third.get("a"), third.get("b"), third.get("c")) == ({"x": 1}, None, 3)


def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text('\n{"key":"a","value":1}\n\n{"key": "cut sho\n{"key":"b","value":2}\n[]\n')
    journal = Journal(path)
    assert (journal.get("a"), journal.get("b"), len(journal)) == (1, 2, 2)


def test_a_run_without_a_file_keeps_nothing(tmp_path: Path) -> None:
    journal = Journal(None)
    journal.put("a", 1)
    journal.clear()
    assert journal.get("a") == 1
    assert not list(tmp_path.iterdir())


def test_a_complete_run_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.clear()
    journal.put("a", 1)
    journal.clear()
    assert not path.exists()
