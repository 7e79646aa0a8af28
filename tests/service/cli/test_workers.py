"""Several processes serve as one: keys, rates and metrics count together, and a process that dies is replaced."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psutil
import pytest

from latcast.schema import LatcastError
from service.cli import workers
from service.cli.demo.processes import free_port, running, wait_for
from service.settings import Settings

CALLERS, BURST = 12, 20


class Pair:
    """A service of two processes, and connections that reach both."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.port, log = free_port(), folder / "log"
        arguments = ["serve", "--workers", "2", "--port", str(self.port), "--data-dir", str(folder)]
        environment = {
            "LATCAST_RATE_PER_SECOND": "0.0001",
            "LATCAST_RATE_BURST": str(BURST),
            "LATCAST_DATABASE_URL": url,
        }
        process = stack.enter_context(running(arguments, log=log, environment=environment))
        self.parent = psutil.Process(process.pid)
        wait_for(self._answers, process=process, log=log, what="The service")
        self.callers = [self._caller(stack) for _ in range(CALLERS)]
        eventually(lambda: all(map(self._has_caller, self.processes())), self._call_anew(stack))

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def _caller(self, stack: ExitStack) -> httpx2.Client:
        client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=60)
        stack.enter_context(client).get("/healthz")
        return client

    def _call_anew(self, stack: ExitStack) -> Callable[[], None]:
        return lambda: self.callers.append(self._caller(stack))

    def processes(self) -> list[psutil.Process]:
        """Those that serve."""
        return [child for child in self.parent.children() if _is_alive(child) and "spawn_main" in str(child.cmdline())]

    def _has_caller(self, process: psutil.Process) -> bool:
        return any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == self.port
                   for each in process.net_connections("tcp"))  # fmt: skip

    def statuses(self, key: str | None = None) -> list[int]:
        """What every caller is answered."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return [caller.get("/v1/targets", headers=headers).status_code for caller in self.callers]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(is_so: Callable[[], bool], otherwise: Callable[[], None] = lambda: None) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        otherwise()
        time.sleep(0.05)


@pytest.fixture
def pair(database_url: str, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(database_url, tmp_path, stack)


@pytest.mark.slow
def test_two_processes_serve_as_one(pair: Pair) -> None:
    assert len(pair.processes()) == 2
    first = pair.callers[0]
    admin = first.post("/v1/keys", json={"scope": "admin"}).json()["key"]
    as_admin = {"Authorization": f"Bearer {admin}"}
    eventually(lambda: set(pair.statuses()) <= {401, 429})
    client = first.post("/v1/keys", json={"scope": "client"}, headers=as_admin).json()
    eventually(lambda: 401 not in pair.statuses(client["key"]))
    other = first.post("/v1/keys", json={"scope": "client"}, headers=as_admin).json()["key"]
    answered = [status for _ in range(3) for status in pair.statuses(other)]
    assert answered.count(200) == BURST, "the processes count together"
    assert set(answered) == {200, 429}
    said = {caller.get("/metrics", headers=as_admin).text.split('route="/targets",status="200"}')[1].split()[0]
            for caller in (first, *pair.callers[1:3])}  # fmt: skip
    assert {float(count) >= BURST for count in said} == {True}
    assert len(said) == 1, "whichever process is asked"
    first.delete(f"/v1/keys/{client['id']}", headers=as_admin)
    eventually(lambda: set(pair.statuses(client["key"])) <= {401, 429})
    _replaces_and_ends(pair)


def _replaces_and_ends(pair: Pair) -> None:
    before = pair.processes()
    os.kill(before[0].pid, signal.SIGKILL)
    eventually(lambda: before[0] not in pair.processes() and len(pair.processes()) == 2)
    eventually(pair._answers)
    left = pair.processes()
    pair.parent.terminate()
    eventually(lambda: not any(map(_is_alive, (*left, pair.parent))))


@pytest.mark.slow
def test_processes_that_end_at_once_are_not_started_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_serve", _end)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(LatcastError, match="end as soon as they begin"):
            workers.serve_in_processes(Settings(port=free_port(), workers=2, data_dir=tmp_path))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(*_arguments: object) -> None:
    raise SystemExit(3)
