"""Processes of the demo are ended in order, and what they said last is quoted when they fail."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from latcast.schema import LatcastError
from service.cli.demo import processes
from service.cli.demo.processes import free_port, running, wait_for


def test_a_process_ends_with_its_block_and_writes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(["--version"], log=log) as process:
        assert process.wait(60) == 0
    assert log.read_text().startswith("latcast ")


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        processes.end(process)
    assert process.returncode == -signal.SIGKILL


def test_what_is_waited_for_is_returned(tmp_path: Path) -> None:
    answers = iter([None, 0, "ready"])
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        assert wait_for(lambda: next(answers), process=process, log=tmp_path / "log", what="It") == "ready"
        (tmp_path / "log").write_text("a\nb\n")
        with pytest.raises(LatcastError, match=r"It was not ready after 0 s: a \| b"):
            wait_for(lambda: False, process=process, log=tmp_path / "log", what="It", timeout_s=0.0)
    finally:
        processes.end(process)


def test_a_process_that_ended_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    process.wait()
    with pytest.raises(LatcastError, match="exit code 3: its log is empty"):
        wait_for(lambda: False, process=process, log=tmp_path / "log", what="It")


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
