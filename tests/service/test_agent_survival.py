"""A real agent behind a proxy that misbehaves: no result is lost, and only the service itself ends the agent."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from latcast.client import Client
from tests.service.helpers import model
from tests.service.test_survival import free_port, server

AGENT = """
    from profilers.agent import backoff
    backoff.LONGEST_PAUSE_S = 0.2
    from service.cli.main import main
    main()
"""
PATIENCE_S = 60.0
HOP_HEADERS = ("connection", "transfer-encoding", "content-length")

Answer = tuple[int, dict[str, str], bytes]
PAGE: Answer = (200, {"Content-Type": "text/html"}, b"<html>Log in first.</html>")
MISCHIEF: dict[str, Answer] = {
    "page": PAGE,
    "forbidden page": (403, PAGE[1], PAGE[2]),
    "redirect": (307, {"Location": "http://127.0.0.1:9/login"}, b""),
    "error": (500, {"Content-Type": "text/plain"}, b"Internal Server Error"),
    "cut": (200, {"Content-Type": "application/json"}, b'{"id": "x", "lease_tok'),
    "other": (200, {"Content-Type": "application/json"}, b'{"id": "x", "lease_token": 7}'),
    "refusal of another": (
        401,
        {"Content-Type": "application/problem+json"},
        b'{"type": "about:blank", "status": 401}',
    ),
}


class Proxy:
    """Forwards to a service, but for paths with an end for which it has other answers ready."""

    def __init__(self, service: str) -> None:
        self.service, self.port = service, free_port()
        self.mischief: dict[str, list[Answer]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        for end, answers in self.mischief.items():
            if path.endswith(end) and answers:
                return answers.pop(0)
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower() not in ("host", "connection", "accept-encoding")
        }
        response = httpx2.request(method, self.service + path, content=body, headers=kept, timeout=30)
        return response.status_code, dict(response.headers), response.content

    def _handler(proxy: "Proxy") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, content = proxy.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP_HEADERS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def __getattr__(self, name: str) -> Callable[[], None]:
                if name.startswith("do_"):
                    return self.handle_any
                raise AttributeError(name)

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


@contextmanager
def running_agent(url: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["agent", "--server", url, "--backend", "fake", "--microbench", "never", "--state", str(state)]
    log = (state / "log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(AGENT), *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NO_PROXY": "*"},
        stdout=log,
        stderr=log,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def eventually(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


@pytest.fixture
def proxied(new_sqlite: str) -> Iterator[tuple[Proxy, Client]]:
    port = free_port()
    with server(new_sqlite, port, lease_seconds=30):
        proxy = Proxy(f"http://127.0.0.1:{port}")
        with Client(proxy.service) as client:
            yield proxy, client
        proxy.close()


@pytest.mark.slow
def test_an_agent_outlives_whatever_stands_before_its_service(proxied: tuple[Proxy, Client], tmp_path: Path) -> None:
    proxy, client = proxied
    answers = list(MISCHIEF.values())
    for end in ("/devices/register", "/jobs/lease", "/model", "/result"):
        proxy.mischief[end] = list(answers)
    graph = client.upload_graph(model())["hash"]
    with running_agent(proxy.url, tmp_path) as agent:
        (target,) = eventually(client.targets)
        (job,) = client.profile(target["id"], graphs=[graph], settings={"processes": 1, "sentinel": False})
        eventually(lambda: client.job(job["id"])["state"] not in ("queued", "leased"))
        assert client.job(job["id"])["state"] == "done"
        assert [reason["outcome"] for reason in client.job(job["id"])["reasons"]] == ["done"]
        assert agent.poll() is None
    assert not any(proxy.mischief.values())
    assert b"Traceback" not in (tmp_path / "log").read_bytes()
    assert list(tmp_path.glob("*/spool/*")) == []


@pytest.mark.slow
def test_a_revoked_agent_says_so_ends_and_keeps_what_it_measured(proxied: tuple[Proxy, Client], tmp_path: Path) -> None:
    proxy, client = proxied
    client.key = client.create_key("admin")["key"]
    token = client.create_enrolment_token()["enrolment_token"]
    graph = client.upload_graph(model())["hash"]
    proxy.mischief["/result"] = [MISCHIEF["error"]] * 1000
    os.environ["LATCAST_ENROLMENT_TOKEN"] = token
    try:
        with running_agent(proxy.url, tmp_path) as agent:
            (target,) = eventually(client.targets)
            client.profile(target["id"], graphs=[graph], settings={"processes": 1, "sentinel": False})
            eventually(lambda: list(tmp_path.glob("*/spool/*.json")))
            (key,) = [key for key in client.api_keys() if key["scope"] == "agent"]
            client.revoke_key(key["id"])
            proxy.mischief.clear()
            assert agent.wait(timeout=PATIENCE_S) == 3
    finally:
        del os.environ["LATCAST_ENROLMENT_TOKEN"]
    said = (tmp_path / "log").read_text()
    assert "The service refuses this agent" in " ".join(said.split())
    assert "Traceback" not in said
    assert len(list(tmp_path.glob("*/spool/*.json"))) == 1
