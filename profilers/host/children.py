"""Child processes that inherit nothing, and what their ends mean."""

import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from latcast.schema import Failure, ProfileSettings

__all__ = ["alone_on_this_host", "child_environment", "explain_end", "run_alone", "run_child"]

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH")
"""Of the environment; everything else, secrets included, stays here."""
MESSAGE_CHARACTERS = 2000


def run_alone(command: Sequence[str], folder: Path, output: Path, timeout_s: float) -> int | None:
    """`run_child`, while no other measurement of this user runs on this host."""
    with alone_on_this_host():
        return run_child(command, folder, output, timeout_s)


def run_child(command: Sequence[str], folder: Path, output: Path, timeout_s: float) -> int | None:
    """Run a command with nothing inherited.

    Args:
        command: program and arguments.
        folder: where it works, and keeps temporary files.
        output: file for what it prints.
        timeout_s: after this many seconds its whole process group is killed.

    Returns:
        Its exit code, negative for a signal; None where it had to be killed at the end of its time.
    """
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=child_environment(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            close_fds=True, start_new_session=True,
        )  # fmt: skip
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def alone_on_this_host() -> Iterator[None]:
    """Wait until no other measurement of this user runs; the system frees the lock of a process that dies."""
    path = Path(tempfile.gettempdir()) / f"latcast-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def child_environment(folder: Path) -> dict[str, str]:
    """What a child process sees of the environment; `folder` is for its temporary files."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "TMPDIR": str(folder), "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0"}


def explain_end(code: int | None, output: Path, settings: ProfileSettings) -> Failure:
    """The failure of a child that ended without an answer.

    Args:
        code: as `run_alone` gave it.
        output: file with what the child printed.
        settings: that it ran under.
    """
    said = _tail(output)
    words = f" It said: {said}" if said else ""
    if code is None:
        return Failure(stage="timeout", message=f"The model did not finish within {settings.timeout_s:g} s and was "
                       f"stopped: a bigger timeout, or a smaller model, may help.{words}")  # fmt: skip
    if code == -signal.SIGKILL:
        return Failure(stage="memory", message="The system killed the process, most likely because the machine ran out "
                       f"of memory: a smaller model, or a lower memory limit, may help.{words}")  # fmt: skip
    if "bad_alloc" in said or "MemoryError" in said:
        return Failure(stage="memory", message="The model needs more memory than the "
                       f"{settings.memory_limit_bytes / 2**20:,.0f} MiB that it may use.{words}")  # fmt: skip
    if code < 0:
        return Failure(stage="crash", message=f"The runtime crashed with {_signal_name(-code)}.{words}")
    return Failure(stage="crash", message=f"The process ended with exit code {code} and no answer.{words}")


def _tail(output: Path) -> str:
    with output.open("rb") as log:
        log.seek(max(0, output.stat().st_size - MESSAGE_CHARACTERS))
        text = log.read(MESSAGE_CHARACTERS).decode(errors="replace")
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text).strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
