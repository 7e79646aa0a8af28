"""The processes that `latcast demo` starts: begun, waited for and ended in order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latcast.schema import LatcastError

__all__ = ["free_port", "running", "wait_for"]

STOP_SECONDS = 10.0


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    arguments: Sequence[str],
    *,
    log: Path,
    module: str = "service.cli.main",
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """`latcast <arguments>` as a process of its own that ends with the block, its output in a file.

    Args:
        arguments: of the module's command line.
        log: file that the output is added to.
        module: what runs.
        environment: variables besides those of this process.

    It gets its own process group: an interrupt at the terminal reaches the caller alone, which then ends it in order.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **(environment or {})},
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end; after ten seconds, end it with its whole group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(
    ready: Callable[[], Any], *, process: subprocess.Popen[bytes], log: Path, what: str, timeout_s: float = 60.0
) -> Any:
    """The first true value of `ready()`, asked every tenth of a second.

    Raises:
        LatcastError: the process ended, or the time is up; quotes the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := ready():
            return value
        if process.poll() is not None:
            raise LatcastError(f"{what} ended with exit code {process.returncode}: {last_words(log)}")
        time.sleep(0.1)
    raise LatcastError(f"{what} was not ready after {timeout_s:.0f} s: {last_words(log)}")


def last_words(log: Path, lines: int = 5) -> str:
    """The end of a log, on one line."""
    return " | ".join(log.read_text(errors="replace").splitlines()[-lines:]) or "its log is empty"
