"""A state folder is one agent's at a time, and a killed agent's is free at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from latcast.schema import LatcastError
from service.agent import state_lock
from service.agent.state_lock import alone_in

HOLDER = """
import sys, time
from pathlib import Path
from service.agent.state_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_agent_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(LatcastError, match=f"runs already .process {first.pid}.: stop it first"),
            alone_in(tmp_path),
        ):
            pass
        first.kill()
    with alone_in(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    with alone_in(tmp_path):  # and after whoever ended in peace
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_file_systems_without_locks_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(state_lock.fcntl, "flock", refuse)
    with alone_in(tmp_path):
        pass
    assert "No locks available" in caplog.text
