"""The examples run, one by one, on a service with an imported table; those of libraries that are absent are skipped."""

import re
import runpy
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from predictors.data.importers import read_any
from profilers.search_spaces import get_space
from service.db.session import Database, create_engine_for, upgrade
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.serving import serving

EXAMPLES = Path(__file__).parents[2] / "examples"
LIBRARIES = {"optuna_search": "optuna", "pymoo_search": "pymoo", "ax_search": "ax", "ray_tune_search": "ray",
             "differentiable_search": "torch"}  # fmt: skip
TARGETS = {"differentiable_search": ("board", 175.0), "live_search": ("bench", 1000.0)}
MORE = {"live_search": ["--samples", "0", "--measure", "0", "--trials", "20"]}
"""Further options: no agent measures here."""
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "cells")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service over HTTP with tables of two devices, and a device without measurements."""
    folder = tmp_path_factory.mktemp("examples")
    settings = Settings(data_dir=folder, log_level="error")
    database = Database(create_engine_for(settings))
    upgrade(database.engine)
    cells = [get_space("nasbench201").sample(np.random.default_rng(seed)) for seed in range(60)]
    rows = [f"phone,nasbench201,{cell.text},{ms!r}" for cell, ms in zip(cells, latencies(cells, 3), strict=True)]
    blocks = [get_space("fbnet").sample(np.random.default_rng(seed)) for seed in range(40)]
    rows += [f"board,fbnet,{one.text},{ms!r}" for one, ms in zip(blocks, latencies(blocks, 3), strict=True)]
    (folder / "table.csv").write_text("\n".join(["target,space,text,ms", *rows]))
    store(database, read_any(folder / "table.csv", origin="made for tests"))
    database.close()
    with serving(settings) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_example_runs(
    name: str, service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in LIBRARIES and util.find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"{LIBRARIES[name]} is not installed")
    target, limit_ms = TARGETS.get(name, ("phone", 14.0))
    arguments = ["--server", service, "--target", target, "--limit-ms", str(limit_ms), "--trials", "80"]
    monkeypatch.setattr(sys, "argv", [name, *arguments, *MORE.get(name, [])])
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    shown = capsys.readouterr().out
    found_ms = [float(number) for number in re.findall(r"([0-9.]+) ms", shown)]
    assert found_ms
    if name.endswith("_search"):
        assert max(found_ms) <= limit_ms


def test_every_example_is_listed() -> None:
    listed = re.findall(r"\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == SCRIPTS
