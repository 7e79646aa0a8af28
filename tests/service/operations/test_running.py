"""The note by which `latcast keys` finds the database of a running service."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.operations import running
from service.operations.running import RunningService, leave_note, running_service


@pytest.fixture(autouse=True)
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "service.json"
    monkeypatch.setattr(running, "NOTE", path)
    return path


def service(pid: int) -> RunningService:
    return RunningService(pid=pid, address="http://127.0.0.1:8321", data_dir="/srv/latcast", own_url=False)


def test_a_service_is_found_while_it_runs(note: Path) -> None:
    assert running_service() is None
    with leave_note(service(os.getpid())):
        assert running_service() == service(os.getpid())
    assert running_service() is None
    assert not note.exists()


def test_a_note_of_a_process_that_is_gone_counts_for_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with leave_note(service(ended.pid)):
        assert running_service() is None


def test_the_note_of_a_later_service_stays(note: Path) -> None:
    with leave_note(service(1)):
        with leave_note(service(os.getpid())):
            pass
        note.write_text("no note")
        assert running_service() is None
    assert note.exists()


def test_where_no_note_can_be_written_the_service_runs_all_the_same(note: Path) -> None:
    note.parent.write_text("a file")
    with leave_note(service(os.getpid())):
        assert running_service() is None
