"""`latcast serve --workers N`: processes that serve one address, started again when one ends, and ended in order."""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from latcast.schema import LatcastError
from service.operations.metrics import MULTIPROCESS
from service.settings import Settings

__all__ = ["serve_in_processes"]

EARLY_S, MOST_EARLY_ENDS = 10.0, 5
"""A process that ends so soon, so often in a row, will not do better the next time."""
LOOK_S = 0.5
PATIENCE_S = 15.0
"""How long processes may take to end; they give calls that are under way eight seconds."""

log = structlog.get_logger(__name__)


def serve_in_processes(settings: Settings) -> None:
    """Serve with `settings.workers` processes until this one is asked to end.

    Raises:
        InputError: the address cannot be listened on.
        LatcastError: processes end as soon as they begin; the log says why.
    """
    from service.api.door.connections import GuardedListener

    listeners = GuardedListener.all_at(settings.host, settings.port)
    with TemporaryDirectory(prefix="latcast-serve-") as folder:
        metrics = Path(folder) / "metrics"
        metrics.mkdir()
        os.environ[MULTIPROCESS] = str(metrics)
        try:
            _Processes(settings, listeners, Path(folder)).run()
        finally:
            del os.environ[MULTIPROCESS]
            for listener in listeners:
                listener.close()


class _Processes:
    """The processes, and what becomes of them.

    Args:
        settings: of each.
        listeners: where all of them take connections.
        shared: folder of what they share.
    """

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], shared: Path) -> None:
        self._settings, self._shared = settings, shared
        self._sockets = [socket.socket(each.family, each.type, each.proto, os.dup(each.fileno())) for each in listeners]
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[BaseProcess, float] = {}
        self._ending = threading.Event()
        self._early_ends = 0

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ending.set())
        try:
            for _ in range(self._settings.workers):
                self._start()
            while not self._ending.is_set():
                wait([process.sentinel for process in self._running], timeout=LOOK_S)
                self._replace_ended()
        finally:
            self._end()

    def _start(self) -> None:
        process = self._context.Process(
            target=_serve, args=(self._settings, self._sockets, self._shared), name="latcast serve"
        )
        process.start()
        self._running[process] = time.monotonic()

    def _replace_ended(self) -> None:
        ended = [process for process in self._running if not process.is_alive()]
        for process in ended:
            lived_s = time.monotonic() - self._running.pop(process)
            self._early_ends = self._early_ends + 1 if lived_s < EARLY_S else 0
            log.error("a process ended", pid=process.pid, code=process.exitcode, seconds=round(lived_s, 1))
            if self._early_ends >= MOST_EARLY_ENDS:
                raise LatcastError("Processes of the service end as soon as they begin; the log says why.")
            if not self._ending.is_set():
                self._start()

    def _end(self) -> None:
        for process in self._running:
            process.terminate()
        until = time.monotonic() + PATIENCE_S
        for process in self._running:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        for each in self._sockets:
            each.close()


def _serve(settings: Settings, sockets: Sequence[socket.socket], shared: Path) -> None:
    """One process."""
    from service.api.door.connections import GuardedListener, serve_http
    from service.app import create_app

    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = create_app(settings, shared=shared, in_background=False, rehearses=True)
    serve_http(app, settings, [GuardedListener.adopting(each) for each in sockets])


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        with suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)
