"""What child processes of every lifetime have in common: what they inherit, and what their ends mean.

`profilers.host.one_shot` has those that answer one request, `profilers.host.long_lived` those that answer many.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from latcast.schema import Failure
from profilers.host.child_limits import ChildLimits

__all__ = ["broken_answer", "explain_end", "kill", "start_child"]

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
"""The variables of the environment that children see; everything else, secrets included, stays here."""
MESSAGE_CHARACTERS = 2000


def start_child(
    module: str, *arguments: str, folder: Path, output: Path | None, pipes: bool = False, random_hashes: bool = False
) -> "subprocess.Popen[bytes]":
    """Start a module in a process of its own session, with no inherited handles and a minimal environment.

    Args:
        module: what to run, as `python -m` does; the working folder is no place to import from.
        arguments: those of its command line.
        folder: where it works, and keeps temporary files.
        output: file for what it prints; None drops that.
        pipes: whether its standard input and output are pipes to this process.
        random_hashes: whether its dictionaries resist input that was made to slow them down; without, two processes
            do the same with the same input.
    """
    end = subprocess.PIPE if pipes else None
    with open(output or os.devnull, "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments], cwd=folder, env=_environment(folder, random_hashes),
            stdin=end or subprocess.DEVNULL, stdout=end or log, stderr=log, bufsize=0, close_fds=True,
            start_new_session=True,
        )  # fmt: skip


def _environment(folder: Path, random_hashes: bool) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    seed = "random" if random_hashes else "0"
    return {**kept, "TMPDIR": str(folder), "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": seed}


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a child and all that it started; nothing happens where it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        _close(pipe)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


def broken_answer(error: Exception) -> Failure:
    """The failure of a child that answered something that is no answer."""
    return Failure(stage="crash", message=f"The process left an answer that is broken: {error}")


def explain_end(code: int | None, output: Path, limits: ChildLimits) -> Failure:
    """The failure of a child that ended without an answer.

    Args:
        code: exit code, negative for a signal; None where the child was killed at the end of its time.
        output: file with what the child printed.
        limits: those that it ran under.
    """
    said = _tail(output)
    words = f" It said: {said}" if said else ""
    if code is None:
        return Failure(stage="timeout", message=f"The model did not finish within {limits.timeout_s:g} s and was "
                       f"stopped: a bigger timeout, or a smaller model, may help.{words}")  # fmt: skip
    if code == -signal.SIGKILL:
        return Failure(stage="memory", message="The system killed the process, most likely because the machine ran out "
                       f"of memory: a smaller model, or a lower memory limit, may help.{words}")  # fmt: skip
    if "bad_alloc" in said or "MemoryError" in said:
        return Failure(stage="memory", message="The model needs more memory than the "
                       f"{limits.memory_bytes / 2**20:,.0f} MiB that it may use.{words}")  # fmt: skip
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
