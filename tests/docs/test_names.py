"""Modules, classes and files that README and docs name exist. Research is dated and may name what has gone."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages

DATED = (ROOT / "docs" / "research", ROOT / "CHANGELOG.md")
NAME = re.compile(r"`((?:latcast|predictors|profilers|service)(?:\.\w+)+)`")
FILE = re.compile(r"`((?:latcast|predictors|profilers|service|tests|scripts|benchmarks|migrations|docs)/[\w./-]*)`")
BARE = re.compile(r"`([\w/]+\.py)`")
PRESENT = [page for page in pages() if not any(page.is_relative_to(dated) for dated in DATED)]
GROUPS = {f"latcast.{group}" for group in ("backends", "counters", "predictors", "samplers", "search_spaces")}
"""Groups of entry points, which are no modules."""


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_lead_to_something(page: Path) -> None:
    text = page.read_text()
    assert [name for name in NAME.findall(text) if name not in GROUPS and not importable(name)] == []
    assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == []
    assert [name for name in BARE.findall(text) if not any(path.endswith(f"/{name}") for path in modules())] == []


@cache
def modules() -> list[str]:
    """Paths of all modules, tests and scripts."""
    folders = ("latcast", "predictors", "profilers", "service", "tests", "scripts", "benchmarks", "examples")
    return [str(path) for folder in folders for path in (ROOT / folder).rglob("*.py")]


def importable(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one or of one of its classes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute, None)
        return found is not None
    return False


def test_names_of_nothing_are_noticed() -> None:
    assert importable("latcast.schema.errors.LatcastError.__str__")
    assert not importable("latcast.schema.nope")
    assert not importable("predictors.nope")
