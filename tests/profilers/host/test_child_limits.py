"""Limits that a process puts on itself; applied in child processes, since they cannot be taken back."""

import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from profilers.host.child_limits import ChildLimits


def run(program: str, folder: Path) -> str:
    limits = "ChildLimits(timeout_s=1.0, memory_bytes=2**28, file_bytes=1000)"
    text = f"from profilers.host.child_limits import ChildLimits\nlimits = {limits}\n{textwrap.dedent(program)}"
    return subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_memory_is_limited(tmp_path: Path) -> None:
    program = """
        limits.apply()
        bytes(2**27)
        try:
            bytes(2**29)
        except MemoryError:
            print("too much")
    """
    assert run(program, tmp_path) == "too much\n"


def test_files_are_limited_and_there_are_no_core_dumps(tmp_path: Path) -> None:
    program = """
        import resource
        limits.apply()
        print(resource.getrlimit(resource.RLIMIT_CORE))
        try:
            with open("big", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(600))
        except OSError:
            print("too big")
    """
    assert run(program, tmp_path) == "(0, 0)\ntoo big\n"
    assert (tmp_path / "big").stat().st_size <= 1000


def test_a_narrower_limit_stays(tmp_path: Path) -> None:
    program = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        limits.apply()
        print(resource.getrlimit(resource.RLIMIT_FSIZE))
    """
    assert run(program, tmp_path) == "(10, 10)\n"


def test_this_process_is_as_it_was() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ChildLimits(timeout_s=1.0, memory_bytes=1, file_bytes=1)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    child = """
        import os, time
        from dataclasses import replace
        replace(limits, parent_pid=os.getppid()).apply()
        print(os.getpid(), flush=True)
        time.sleep(60)
    """
    limits = "ChildLimits(timeout_s=1.0, memory_bytes=2**28, file_bytes=1000)"
    text = f"from profilers.host.child_limits import ChildLimits\nlimits = {limits}\n{textwrap.dedent(child)}"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {text!r}])\n"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=20)
    assert not alive or alive[0].status() == psutil.STATUS_ZOMBIE


def test_a_child_whose_parent_ended_before_does_not_begin(tmp_path: Path) -> None:
    program = """
        from dataclasses import replace
        replace(limits, parent_pid=1).apply()
        print("begun")
    """
    if sys.platform == "linux":
        with pytest.raises(subprocess.CalledProcessError):
            run(program, tmp_path)
