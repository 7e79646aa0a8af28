"""A process beside the service, of the same settings, which ends when the service does."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from service.operations.logs import configure_logs
from service.settings import Settings

__all__ = ["BesideService", "run_beside"]

END_S = 10.0


class BesideService:
    """A process that the service starts, and ends.

    Args:
        module: is run; its `main` calls `run_beside`.
        settings: of the service, handed to the process on its standard input.
        arguments: of the module's command line.
        files: numbers of open files that it gets, too.
        environment: variables besides those of this process.
    """

    def __init__(
        self,
        module: str,
        settings: Settings,
        *,
        arguments: Sequence[str] = (),
        files: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=files,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # an interrupt at the terminal is the service's, which ends its processes itself
        )
        self.pid = self._child.pid
        if self._child.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already, and its exit code tells
                self._child.stdin.write(json.dumps(settings.model_dump(mode="json")) + "\n")
                self._child.stdin.flush()

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        code = self._child.poll()
        if code is not None and self._child.stdin is not None:
            self._child.stdin.close()
        return code

    def wait(self, timeout_s: float) -> int:
        """Wait until it has ended by itself; the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not in time.
        """
        return self._child.wait(timeout_s)

    def end(self) -> None:
        """Ask it to end, and make it end where it does not."""
        self._child.terminate()
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()


def run_beside(work: Callable[[Settings, threading.Event], None]) -> int:
    """In such a process: work until it is done, the service ends, or a signal comes; the exit code.

    Args:
        work: gets the service's settings, and what is set once it has to end.
    """
    settings = Settings(**json.loads(sys.stdin.readline()))
    configure_logs(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_stop_with_the_service, args=(stop,), daemon=True).start()
    work(settings, stop)
    return 0


def _stop_with_the_service(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()
