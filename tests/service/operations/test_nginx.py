"""nginx with the file that the guide gives, before the service: below a prefix or not, models, streams as they come."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import sleep

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from latcast.schema import to_plain
from tests.service.helpers import TARGET, World, measurement, model

FILE = Path(__file__).parents[3] / "docs" / "operations" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HOST = {"Host": "forecasts.example.org"}
MAIN = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/latcast.conf;
}}
"""
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@contextmanager
def listening(app: FastAPI) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as place:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield place.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def without_tls(port: int, service: int, *, prefix: bool) -> str:
    """The guide's file at another port, in the form that its comment tells where a prefix is wanted."""
    lines = FILE.read_text(encoding="utf-8").replace("127.0.0.1:8321", f"127.0.0.1:{service}")
    lines = lines.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    kept = "\n".join(line for line in lines.splitlines() if "ssl_certificate" not in line)
    if prefix:
        plain = "    location / {\n        proxy_pass http://latcast;\n    }\n"
        assert plain in kept
        kept = kept.replace(plain, "").replace("#location", "location")
    return kept


@contextmanager
def proxied(world: World, folder: Path, *, prefix: bool) -> Iterator[httpx2.Client]:
    with listening(world.app) as service:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "latcast.conf").write_text(without_tls(port, service, prefix=prefix), encoding="utf-8")
        (folder / "main.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
        process = subprocess.Popen([str(NGINX), "-c", str(folder / "main.conf"), "-e", str(folder / "error.log")])
        try:
            base = f"http://127.0.0.1:{port}" + ("/latcast" if prefix else "")
            with httpx2.Client(base_url=base, headers=HOST, timeout=30) as http:
                wait_for(http, process)
                yield http
        finally:
            process.terminate()
            process.wait()


def wait_for(http: httpx2.Client, process: "subprocess.Popen[bytes]") -> None:
    while True:
        assert process.poll() is None, "nginx ended"
        try:
            assert http.get("/healthz").status_code == 200
        except httpx2.ConnectError:
            sleep(0.05)
        else:
            return


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [False, True], ids=["own name", "prefix"])
def test_the_guides_proxy_passes_on_what_people_and_agents_need(
    make_world: Callable[..., World], tmp_path: Path, *, prefix: bool
) -> None:
    world = make_world(allowed_hosts=f"testserver,{HOST['Host']}", root_path="/latcast" if prefix else "")
    agent = world.agent()
    with proxied(world, tmp_path, prefix=prefix) as http:
        assert http.get("/ui/").status_code == 200
        octets = {"Content-Type": "application/octet-stream"}
        graph = http.post("/v1/graphs", content=model(), headers=octets).json()["hash"]
        large = http.post("/v1/graphs", content=bytes(2 * 2**20), headers=octets)  # nginx takes 1 MB by default
        assert large.json()["type"].endswith("invalid-model")
        (job,) = http.post("/v1/jobs", json={"kind": "profile", "target": TARGET.id, "graphs": [graph]}).json()["items"]
        with http.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
            states = (line for line in stream.iter_lines() if line.startswith("data"))
            assert '"queued"' in next(states)  # before anything else happens: nothing is buffered
            lease = agent.lease(wait_s=0)
            assert lease is not None
            assert '"leased"' in next(states)
            report = {"lease_token": lease["lease_token"], "measurement": to_plain(measurement(graph))}
            headers = {"Authorization": f"Bearer {agent.key}"}
            assert http.post(f"/v1/jobs/{job['id']}/result", json=report, headers=headers).is_success
            assert '"done"' in next(states)
