"""`python -m benchmarks.dashboard.pages`: when pages are there, how smoothly graphs move, what memory they take.

A real service in a process of its own and a headless Chromium beside it. The data set page has a million rows, and is
compared with the same page of a target that has none, in the same run.
"""

import argparse
import gzip
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import onnx
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select

from benchmarks.dashboard.__main__ import fill
from latcast.client import Client
from service.cli.demo.processes import free_port, running, wait_for
from service.db import tables
from service.db.session import Database, create_engine_for, upgrade
from service.settings import Settings

BLOCK = ("Relu", "Neg", "Abs", "Tanh", "Add")
FRAMES = 90
CHANGES = 10
LONGEST_MS = 120_000
SEEN = """
new MutationObserver(() => {
  const table = document.querySelector("tbody tr"), empty = document.querySelector(".card .empty");
  if (!window.usefulAt && (table || empty)) requestAnimationFrame(() => { window.usefulAt = performance.now(); });
}).observe(document, { childList: true, subtree: true });
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) {
  clear.apply(this, box);
  requestAnimationFrame(() => { window.drawnAt = performance.now(); });
};
"""
"""Script that each page runs: it notes when something useful stands there, and when the graph was drawn last."""
ZOOM = """async (frames) => {
  const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect(), taken = [];
  let before = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < frames; frame++) {
    const deltaY = frame < frames / 3 ? -60 : frame < (2 * frames) / 3 ? 90 : -40;
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaY, bubbles: true, cancelable: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2,
    }));
    const now = await new Promise(requestAnimationFrame);
    taken.push(now - before);
    before = now;
  }
  return taken;
}"""


def chain(nodes: int) -> bytes:
    """A network of so many nodes: residual blocks, one after the other."""
    made, value = [], "x"
    for place in range(nodes):
        kind, name = BLOCK[place % len(BLOCK)], f"v{place}"
        start = "x" if place < len(BLOCK) else f"v{place - place % len(BLOCK) - 1}"
        inputs = [value, start] if kind == "Add" else [value]
        made.append(onnx.helper.make_node(kind, inputs, [name], name=f"n{place}"))
        value = name
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 8]) for name in ("x", value)]
    graph = onnx.helper.make_graph(made, "chain", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    content: bytes = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return content


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The service of a data folder as a process; its address."""
    port, log = free_port(), folder / "serve.log"
    environment = {"LATCAST_DATA_DIR": str(folder), "LATCAST_RATE_PER_SECOND": "0", "LATCAST_LOG_LEVEL": "error"}
    with running(["serve", "--port", str(port)], log=log, environment=environment) as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _ready(url), process=process, log=log, what="The service", timeout_s=LONGEST_MS / 1000)
        yield url


def _ready(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/readyz", timeout=5).status == 200)  # noqa: S310 - loopback
    except OSError:
        return False


def opened(browser: Browser) -> Page:
    """A page of a browser that knows nothing yet."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True).new_page()
    page.set_default_timeout(LONGEST_MS)
    page.add_init_script(SEEN)
    return page


def said(page: Page, name: str) -> float:
    """When something was, in ms since the page began, as soon as it is known."""
    page.wait_for_function(f"window.{name} > 0", polling=20)
    at: float = page.evaluate(f"window.{name}")
    return at


def useful_ms(browser: Browser, address: str, repeats: int) -> float:
    """How long until a table or the word that there is none stands there; median over fresh browsers."""
    taken = []
    for _ in range(repeats):
        page = opened(browser)
        page.goto(address)
        taken.append(said(page, "usefulAt"))
        page.context.close()
    return median(taken)


def graph_figures(browser: Browser, url: str, graph: str) -> dict[str, float]:
    """How long a graph takes until it is drawn, and its frames while it is zoomed."""
    page = opened(browser)
    page.goto(f"{url}/ui/#/jobs")
    page.wait_for_selector("h1")
    begun = page.evaluate(f"(location.hash = '#/networks/{graph}', performance.now())")
    drawn_ms = said(page, "drawnAt") - begun
    frames = page.evaluate(ZOOM, FRAMES)
    page.context.close()
    return {"drawn_ms": drawn_ms, "median_frame_ms": median(frames), "longest_frame_ms": max(frames)}


def heap_mb(browser: Browser, url: str, places: list[str]) -> float:
    """JavaScript's heap after so many changes of page, garbage collected, in MB."""
    page = opened(browser)
    page.goto(f"{url}/ui/#/")
    for number in range(CHANGES):
        page.evaluate(f"location.hash = '#{places[number % len(places)]}'")
        page.wait_for_selector("h1")
        page.wait_for_function("!document.querySelector('.skeleton')", polling=50)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    page.context.close()
    return float(metrics["JSHeapUsedSize"]) / 1e6


def script_bytes(browser: Browser, url: str) -> int:
    """Bytes of the scripts of the first page, compressed."""
    page = opened(browser)
    page.goto(f"{url}/ui/")
    page.wait_for_selector("h1")
    names = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    page.context.close()
    scripts = {name.split("?")[0] for name in names if ".js" in name}
    return sum(len(gzip.compress(urllib.request.urlopen(name).read())) for name in scripts)  # noqa: S310 - loopback


def measure(folder: Path, rows: int, repeats: int) -> dict[str, Any]:
    """All figures."""
    engine = create_engine_for(Settings(data_dir=folder))
    upgrade(engine)
    database = Database(engine)
    full, _ = fill(database, rows)
    with database.write.begin() as session:
        table = tables.Target
        empty = session.scalars(select(table.id).where(table.id != full).order_by(table.id)).first()
        session.execute(tables.Measurement.__table__.delete().where(tables.Measurement.target_id == empty))
        measurement = session.scalar(select(tables.Measurement.id).where(tables.Measurement.target_id == full).limit(1))
    database.close()
    with serving(folder) as url, sync_playwright() as playwright:
        with Client(url) as client:
            graphs = [client.upload_graph(chain(nodes))["hash"] for nodes in (3000, 10_000)]
        executable = shutil.which("chromium") or shutil.which("google-chrome")
        flags = ["--no-sandbox", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        page = f"{url}/ui/#/targets/{full}"
        first = useful_ms(browser, page, 1)
        places = [
            "/targets",
            f"/targets/{full}",
            "/",
            f"/measurements/{measurement}",
            "/jobs",
            f"/networks/{graphs[0]}",
        ]
        figures = {
            "rows": rows,
            "dataset_first_look_ms": first,
            "dataset_ms": useful_ms(browser, page, repeats),
            "empty_ms": useful_ms(browser, f"{url}/ui/#/targets/{empty}", repeats),
            "graph_3000": graph_figures(browser, url, graphs[0]),
            "graph_10000_folded": graph_figures(browser, url, graphs[1]),
            "heap_mb": heap_mb(browser, url, places),
            "script_bytes": script_bytes(browser, url),
        }
        browser.close()
    return figures


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The figures as people read them."""
    yield f"dataset of {found['rows']:,} rows"
    yield f"  useful after          {found['dataset_ms']:7.0f} ms, an empty one {found['empty_ms']:.0f} ms"
    yield f"  first after a start   {found['dataset_first_look_ms']:7.0f} ms"
    for name, title in (("graph_3000", "3,000 nodes"), ("graph_10000_folded", "10,000 nodes, folded")):
        one = found[name]
        yield title
        yield f"  drawn after           {one['drawn_ms']:7.0f} ms"
        yield f"  frame of a zoom       {one['median_frame_ms']:7.1f} ms median, {one['longest_frame_ms']:.1f} at most"
    yield f"JavaScript at first     {found['script_bytes'] / 1000:7.1f} kB (gzip)"
    yield f"heap after {CHANGES} pages     {found['heap_mb']:7.1f} MB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latcast-pages-") as folder:
        found = measure(Path(folder), arguments.rows, arguments.repeats)
    for line in lines(found):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
