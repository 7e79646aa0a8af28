"""`python -m benchmarks.dashboard.screenshots`: every view of the dashboard, light and dark, into `docs/images/`.

Needs a Chromium, the extra `dev` and Pillow. Pictures have 128 colours, which is what keeps them small.
"""

import argparse
import io
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import select

from benchmarks.dashboard.seed import Seeded, seed
from service.app import create_app
from service.db import tables
from service.db.session import Database, create_engine_for, upgrade
from service.settings import Settings

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = (1280, 860)
COLOURS = 128
LONGEST_S = 300.0
NETWORK = "vision_transformer/"
SCROLLED = {"record": "Over time"}
"""Headings further down that a picture is to show."""


def main() -> None:
    """Seed a database, serve it, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measurements", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--views", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="latcast-pictures-") as folder:
        settings = Settings(data_dir=Path(folder), log_level="error", rate_per_second=0)
        engine = create_engine_for(settings)
        upgrade(engine)
        database = Database(engine)
        made = seed(database, measurements=arguments.measurements, adapted=True)
        views = {name: place for name, place in places(database, made).items() if name in (arguments.views or [name])}
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            _wait_for_adaptation(database, made.targets[0])
            take(f"http://127.0.0.1:{listening.getsockname()[1]}", views, arguments.out)
            server.should_exit = True
            thread.join()


def _wait_for_adaptation(database: Database, target_id: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    mine = select(tables.Adaptation.id).where(tables.Adaptation.active, tables.Adaptation.target_id == target_id)
    while time.monotonic() < deadline:
        with database.read() as session:
            if session.scalar(mine) is not None:
                return
        time.sleep(0.5)


def places(database: Database, made: Seeded) -> Mapping[str, str]:
    """Where each view is, with something to see."""
    target = made.targets[0]
    with database.read() as session:
        device = session.scalar(select(tables.Target.device_id).where(tables.Target.id == target))
        job = session.scalar(select(tables.Job.id).where(tables.Job.kind == "adapt"))
        query = select(tables.Measurement.id, tables.Measurement.graph_hash)
        query = query.join(tables.Architecture, tables.Architecture.graph_hash == tables.Measurement.graph_hash)
        query = query.join(tables.KernelMeasurement, tables.KernelMeasurement.measurement_id == tables.Measurement.id)
        wanted = query.where(tables.Measurement.target_id == target, tables.Architecture.text.startswith(NETWORK))
        measurement, graph = session.execute(wanted.limit(1)).one()
    return {
        "overview": "/",
        "targets": "/targets",
        "dataset": f"/targets/{target}",
        "measurement": f"/measurements/{measurement}",
        "quality": f"/targets/{target}/quality",
        "record": f"/targets/{target}/quality",
        "network": f"/networks/{graph}?measurement={measurement}",
        "try": f"/try?graph={graph}",
        "device": f"/devices/{device}?target={target}",
        "adapt": f"/jobs/{job}",
        "train": "/train",
        "compare": "/compare",
        "frontier": f"/targets/{target}/frontier",
    }


def take(url: str, views: Mapping[str, str], out: Path) -> None:
    """Take a picture of each view in both schemes."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        for name, place in views.items():
            page.goto(f"{url}/ui/#{place}")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                _settle(page)
                if name in SCROLLED:
                    page.get_by_role("heading", name=SCROLLED[name]).scroll_into_view_if_needed()
                    page.mouse.wheel(0, SIZE[1] // 2)
                    page.wait_for_timeout(300)
                _write(page.screenshot(), out / f"{name}-{scheme}.png")
            print(name)
        browser.close()


def _settle(page: Page) -> None:
    page.wait_for_selector("h1")
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline and page.evaluate("!!document.querySelector('.skeleton, [aria-busy=true]')"):
        page.wait_for_timeout(100)
    page.evaluate("document.activeElement.blur()")  # pictures show no place of the keyboard
    page.wait_for_timeout(300)


def _write(png: bytes, path: Path) -> None:
    picture: Any = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
