"""Journals: what is written is read again, whatever tears it."""

import json
from pathlib import Path

import pytest

from profilers.journal import TAIL_BYTES, JournalWriter, whole_lines


def write(path: Path, *values: object) -> None:
    with JournalWriter(path) as writer:
        for value in values:
            writer.append(value)


def read(path: Path) -> list[object]:
    return [json.loads(line) for _, line in whole_lines(path)]


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, {"a": 1}, "ä")
    write(path, [2])
    assert read(path) == [{"a": 1}, "ä", [2]]


def test_an_entry_is_there_before_the_journal_is_closed(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "log") as writer:
        writer.append(1)
        assert read(tmp_path / "log") == [1]


def test_there_is_nothing_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert read(tmp_path / "log") == []


@pytest.mark.parametrize("torn", [b"7", b'{"a":', b"x" * (TAIL_BYTES - 3), b"x" * TAIL_BYTES, b"x" * 3 * TAIL_BYTES])
def test_a_torn_line_is_left_out_and_then_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "log"
    write(path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert read(path) == [1]
    write(path, 2)
    assert path.read_bytes() == whole + b"2\n"


def test_a_journal_that_is_nothing_but_a_torn_line_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a"')
    write(path, 1)
    assert path.read_bytes() == b"1\n"


def test_empty_lines_count_but_are_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n\n \n2\n")
    assert list(whole_lines(path)) == [(1, b"1\n"), (4, b"2\n")]
