"""A real `latcast serve` in a process of its own, with a watchdog over its memory, and what it answers."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import httpx2
import psutil

from latcast.client import Client
from tests.service.helpers import CELL, DEVICE, TARGET, model

ROOT = Path(__file__).parents[2]
MIB = 2**20
SERVER_MIB, WORKERS_MIB = 600, 2048
"""What the server's process, and its workers together, may take at the worst moment."""
KILL_FACTOR = 2.5
"""Whoever takes more than this multiple is killed, so that a broken promise does not take the machine with it."""
LOOK_S = 0.05
STARTUP_S = 180.0
HANG_S = 60.0
"""A call that has no answer by then hangs; nothing here is timed more closely."""


@dataclass(frozen=True)
class Answer:
    """What came back: a status of 0 means that the connection was closed without an answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None

    @property
    def plain(self) -> Any:
        """The JSON that it holds, without leniency towards NaN; None where it is none."""
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except ValueError:
            return None

    @property
    def item(self) -> dict[str, Any] | None:
        """The only item of an answer to /predict."""
        items = self.plain.get("items") if isinstance(self.plain, dict) else None
        return items[0] if items and isinstance(items[0], dict) else None

    @property
    def sentence(self) -> str:
        """Why the call, or its only item, was refused; empty where it was not."""
        problem = self.item.get("error") if self.item else self.plain
        return str(problem.get("detail", "")) if isinstance(problem, dict) else ""


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class Memory:
    """Highest resident memory of a process and of all its descendants together, looked at in a thread.

    Args:
        pid: of the process.
        on_excess: called once when either takes much more than it may.
    """

    def __init__(self, pid: int, on_excess: Callable[[], None]) -> None:
        self._process, self._on_excess = psutil.Process(pid), on_excess
        self._over = Event()
        self.server_mib = self.workers_mib = 0.0
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def begin(self) -> float:
        """Forget the peaks; what the process has now, in MiB."""
        with suppress(OSError):  # not every kernel lets the high-water mark be reset
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        now = self._process.memory_info().rss / MIB
        self.server_mib, self.workers_mib = now, 0.0
        return now

    def look(self) -> None:
        """Take the peaks up to now."""
        self.server_mib = max(self.server_mib, self._rss(self._process), self._high_water_mib())
        children = self._process.children(recursive=True)
        self.workers_mib = max(self.workers_mib, sum(self._rss(child) for child in children))

    def _high_water_mib(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kib = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(kib[1]) / 1024 if kib and self._resettable else 0.0

    @property
    def _resettable(self) -> bool:
        return os.access(f"/proc/{self._process.pid}/clear_refs", os.W_OK)

    @staticmethod
    def _rss(process: psutil.Process) -> float:
        try:
            return float(process.memory_info().rss) / MIB
        except psutil.NoSuchProcess:
            return 0.0

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            try:
                self.look()
            except (psutil.NoSuchProcess, OSError):
                return
            if self.server_mib > KILL_FACTOR * SERVER_MIB or self.workers_mib > KILL_FACTOR * WORKERS_MIB:
                self._on_excess()
                return

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()


class Served:
    """A running service over SQLite with one registered target; a context manager that kills it at the end.

    Args:
        folder: of its database and log.
        keys: whether callers need one; `client` then has an admin's.
        environment: further settings.
    """

    def __init__(self, folder: Path, *, keys: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._folder, self._keys, self._environment = folder, keys, dict(environment or {})
        self._admin: str | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, wait until it is ready, and register what the corpus needs."""
        self.port = free_port()
        with self._log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "service.cli.main", "serve", "--port", str(self.port)],
                env={**os.environ, **self._settings(), **self._environment},
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.memory = Memory(self.process.pid, self.kill)
        self.client = Client(f"http://127.0.0.1:{self.port}", timeout_s=HANG_S)
        self.http = httpx2.Client(base_url=self.client.base_url, timeout=HANG_S)
        self._wait_until_ready()
        self._furnish()

    def _settings(self) -> dict[str, str]:
        return {
            "LATCAST_DATA_DIR": str(self._folder), "LATCAST_TICK_SECONDS": "0.2", "LATCAST_RATE_PER_SECOND": "0",
            "LATCAST_LOG_FORMAT": "json", "ORT_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_S
        while not self.client.is_ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def _furnish(self) -> None:
        if self._keys:
            self._admin = self._admin or self.client.create_key("admin")["key"]
            self.client.key = self._admin
        self.agent_key: str = self.client.register(DEVICE, [TARGET])["agent_key"]
        onnx = base64.b64encode(model()).decode()
        # What a service keeps in any case is there before the first attack.
        self.client.predict(TARGET.id, [{"space": "nasbench201", "text": CELL}, {"onnx": onnx}])

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    @property
    def log(self) -> str:
        """The end of what it printed."""
        return self._log_file.read_text(errors="replace")[-4000:]

    @property
    def log_size(self) -> int:
        """Bytes that it printed."""
        return self._log_file.stat().st_size

    @property
    def _log_file(self) -> Path:
        return self._folder / "log"

    @property
    def key(self) -> dict[str, str]:
        """Headers that open the door; none where it is open."""
        return {"Authorization": f"Bearer {self.client.key}"} if self.client.key else {}

    def call(
        self, method: str, path: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None, key: bool = True
    ) -> Answer:
        """An HTTP call; JSON where no other content type is given."""
        typed = {"Content-Type": "application/json"} if body else {}
        sent = {**typed, **(self.key if key else {}), **(headers or {})}
        try:
            response = self.http.request(method, path, content=body or None, headers=sent)
        except httpx2.RemoteProtocolError:
            return Answer(0)
        return Answer(response.status_code, response.content, response.headers)

    def raw(self, *parts: bytes, half_close: bool = False) -> Answer:
        """What a connection answers to these bytes, with no client's courtesies; read until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG_S) as connection:
            with suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            return _parsed(_read_all(connection))

    def require_alive(self) -> None:
        """Fail unless it lives and answers."""
        assert self.is_alive, f"the server's process ended: {self.log}"
        assert self.http.get("/healthz").status_code == 200

    def kill(self) -> None:
        """End the process and its children at once."""
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            children = psutil.Process(self.process.pid).children(recursive=True)
            os.killpg(self.process.pid, signal.SIGKILL)
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    def stop(self) -> None:
        """End it and wait."""
        self.memory.stop()
        self.client.close()
        self.http.close()
        self.kill()
        self.process.wait(timeout=30)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read_all(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def _parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    return Answer(int(status[1]), body) if status else Answer(0, answer)
