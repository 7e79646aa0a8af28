"""The notes by which `latcast keys` finds the database of a running service."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.operations import running
from service.operations.running import RunningService, leave_note, running_services

HERE = RunningService(address="http://127.0.0.1:8321", data_dir="/srv/latcast", own_url=False)
OTHER = RunningService(address="http://127.0.0.1:9000", data_dir="/srv/other", own_url=True)
SERVES = """
import sys
from pathlib import Path
from service.operations import running
running.NOTES = Path(sys.argv[1])
other = running.RunningService(address="http://127.0.0.1:9000", data_dir="/srv/other", own_url=True)
with running.leave_note(other):
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "services"
    monkeypatch.setattr(running, "NOTES", path)
    return path


@contextmanager
def other_process(notes: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SERVES, str(notes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


def test_a_service_is_found_while_it_runs(notes: Path) -> None:
    assert running_services() == []
    with leave_note(HERE):
        assert running_services() == [HERE]
    assert running_services() == []
    assert list(notes.iterdir()) == []


def test_several_are_found_until_they_are_killed(notes: Path) -> None:
    with leave_note(HERE), other_process(notes) as other:
        assert running_services() == [HERE, OTHER]
        other.kill()
        other.wait()
        assert running_services() == [HERE]
        assert len(list(notes.iterdir())) == 1, "the note of the killed one is removed"


def test_what_is_no_note_counts_for_nothing(notes: Path) -> None:
    with leave_note(HERE):
        next(notes.iterdir()).write_text("no note")
        assert running_services() == []


def test_where_no_note_can_be_written_the_service_runs_all_the_same(notes: Path) -> None:
    notes.parent.write_text("a file")
    with leave_note(HERE):
        assert running_services() == []


def test_users_without_a_home_have_services_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    with leave_note(HERE):
        assert running_services() == []
