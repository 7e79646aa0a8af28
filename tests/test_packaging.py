"""What each extra promises, as far as this environment can tell; `test_installation.py` installs them afresh."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


EXTRA_PROMISES = {
    "": ["service.cli.main", "latcast.client", "latcast.schema"],
    "agent": [
        "profilers.onnx_graph",
        "profilers.timing.sandbox",
        "profilers.agent.run",
        "profilers.backends.onnxruntime",
    ],
    "predictors": [
        "predictors.kinds.kernel_sum",
        "predictors.kinds.boosted_trees.predictor",
        "predictors.kinds.flops",
        "predictors.samplers.base",
    ],
    "service": ["service.app", "service.forecasting.forecaster", "service.learning.adaptation"],
}


@pytest.mark.slow
@pytest.mark.parametrize("extra", sorted(EXTRA_PROMISES))
def test_extra_installs_what_its_modules_import(extra: str) -> None:
    """Imports the promised modules in a process where every distribution outside the extra is hidden."""
    allowed = closure(extra)
    owners = packages_distributions()
    hidden = sorted(module for module, dists in owners.items() if not {normal(dist) for dist in dists} & allowed)
    code = f"""
import sys
class Hide:
    hidden = set({hidden!r})
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
import importlib
for module in {EXTRA_PROMISES[extra]!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def closure(extra: str) -> set[str]:
    """Distributions that `pip install latcast[extra]` brings."""
    found: set[str] = set()
    todo = [("latcast", frozenset({extra} if extra else ()))]
    seen = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in distribution_requires(name):
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in (extras or {""})):
                todo.append((normal(need.name), frozenset(need.extras)))
    return found


def distribution_requires(name: str) -> list[str]:
    if name == "latcast":  # an editable install's metadata may be older than the file
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        optional = [
            with_extra(need, extra) for extra, needs in project["optional-dependencies"].items() for need in needs
        ]
        return [*project["dependencies"], *optional]
    return requires(name) or []


def with_extra(need: str, extra: str) -> str:
    name, _, marker = need.partition(";")
    return f"{name} ; {f'({marker}) and ' if marker else ''}extra == '{extra}'"


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_every_entry_point_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group, entries in project["entry-points"].items():
        for name, where in entries.items():
            module, attribute = where.split(":")
            with optional_torch():
                assert hasattr(import_module(module), attribute), f"{group}: {name} points at {where}"


@contextmanager
def optional_torch() -> Iterator[None]:
    """Lets a module that needs torch pass where the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
