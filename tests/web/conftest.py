"""The dashboard in a real Chromium over a real service, whose database is made of the shipped data set."""

import fcntl
import json
import os
import shutil
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import func, select

from benchmarks.dashboard.seed import Seeded, copy_rows, seed
from service.app import create_app
from service.db import tables
from service.db.session import Database, create_engine_for, upgrade
from service.settings import Settings

NEEDED = "LATCAST_NEED_BROWSER"
"""Where it is set, a missing browser is a failure: `.ci/run` installs one."""
FAMILIES = ("zoo/mobile", "zoo/plain", "zoo/vision_transformer", "zoo/recurrent", "zoo/dense", "kernels/gemm", "fbnet")
DRAWN, MEASUREMENTS = 6000, 100_000
"""Measurements that are drawn one by one; all that there are, the others copies of one target's."""
SPREAD = 0.06
WAIT_MS = 60_000


@dataclass
class Served:
    """A running service.

    Args:
        url: where it is.
        seeded: what its database has.
        database: for looking inside.
    """

    url: str
    seeded: Seeded
    database: Database

    def at(self, place: str) -> str:
        """Address of a view."""
        return f"{self.url}/ui/#{place}"


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seeded]:
    """A database file to copy, and what is in it; made once, by whichever process of the tests comes first."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    path, made = folder / "seeded.db", folder / "seeded.json"
    with (folder / "seeded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(json.dumps(asdict(_seed(path))))
    return path, Seeded(**json.loads(made.read_text()))


def _seed(path: Path) -> Seeded:
    engine = create_engine_for(Settings(database_url=f"sqlite:///{path}"))
    upgrade(engine)
    database = Database(engine)
    made = seed(database, measurements=DRAWN, graphs_per_family=2, families=FAMILIES)
    count = select(func.count()).select_from(tables.Measurement)
    with database.read() as session:
        others = session.scalar(count.where(tables.Measurement.target_id != made.targets[0])) or 0
    deque(copy_rows(database, made.targets[0], MEASUREMENTS - others, spread=SPREAD), maxlen=0)
    with database.read() as session:
        assert session.scalar(count) == MEASUREMENTS
    database.close()
    return replace(made, measurements=MEASUREMENTS)


@pytest.fixture(scope="module")
def serve(
    seeded_file: tuple[Path, Seeded], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Served]]:
    """Starts services: `serve(setting=value)`, `serve(filled=how)` with another database; all end with the module."""
    path, made = seeded_file
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []
    folders: list[Path] = []

    def start(
        *, empty: bool = False, filled: Callable[[Database], Seeded] | None = None, port: int = 0, **settings: Any
    ) -> Served:
        folder = tmp_path_factory.mktemp("served")
        folders.append(folder)
        if not empty and not filled:
            shutil.copy(path, folder / "latcast.db")
        own = Settings(data_dir=folder, log_level="error", rate_per_second=0, port=port, **settings)
        engine = create_engine_for(own)
        upgrade(engine)
        has = filled(Database(engine)) if filled else made
        engine.dispose()
        app = create_app(own)
        listening = socket.create_server(("127.0.0.1", port))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        return Served(url=url, seeded=has, database=app.state.parts.database)

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(30)
    for folder in folders:  # each has a copy of a large file
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def served(serve: Callable[..., Served]) -> Served:
    """An open service with data."""
    return serve()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; without one its tests are skipped, or fail where it has to be there.

    Its event loop runs until it is closed, so that no module beside these may see it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("playwright is not installed: pip install 'latcast[dev]'")
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        _missing("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


def _missing(reason: str) -> None:
    if os.environ.get(NEEDED):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Tab:
    """A page, and what it complained of."""

    page: Any
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def open_tab(chromium: Any) -> Iterator[Callable[..., Tab]]:
    """Opens pages that remember complaints: `open_tab(url, width=…, scheme=…)`; at the end there may be none."""
    tabs: list[Tab] = []

    def make(url: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Tab:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(WAIT_MS)
        tab = Tab(context.new_page())
        tab.page.on("console", lambda message: message.type == "error" and tab.complaints.append(message.text))
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.goto(url)
        tabs.append(tab)
        return tab

    yield make
    for tab in tabs:
        tab.page.context.close()
    assert [tab.complaints for tab in tabs if tab.complaints] == []
