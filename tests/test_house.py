"""The house itself: every module has its test file, and every test file says at its head what it is about."""

import ast
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("latcast", "profilers", "predictors", "service")

EXEMPT = {
    "*/__init__.py": "names what is public; importing it is its test",
    "*/child.py": "the program of a child process, run by the tests of what starts it",
    "*/testing/*.py": "conformance suites and doubles, which tests consist of",
    "profilers/search_spaces/zoo/*.py": "families, each run in every form by test_zoo.py",
    "profilers/search_spaces/kernels/*.py": "families, each run in every form by test_kernels.py",
    "service/api/schemas/*.py": "declarations, whose every field test_openapi.py sends and reads",
    "service/db/tables.py": "declarations, which test_migrate.py compares with the migrated database",
}
"""Patterns of modules that need no test file of their own, and why."""

STILL_MISSING = (ROOT / "tests" / "still_missing.txt").read_text().split()
"""Modules that have none yet. The list only gets shorter."""


def modules() -> list[str]:
    """Every module that needs a test file, relative to the repository."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in paths if not says_where_it_moved(path)]
    return [name for name in names if not any(fnmatch(name, pattern) for pattern in EXEMPT)]


def says_where_it_moved(module: Path) -> bool:
    return (ast.get_docstring(ast.parse(module.read_text())) or "").startswith("The former path of ")


def test_file(module: str) -> Path:
    path = Path(module)
    return ROOT / "tests" / path.parent / f"test_{path.name}"


test_file.__test__ = False  # type: ignore[attr-defined]  # a helper, whatever its name begins with


def test_every_module_has_its_test_file() -> None:
    missing = [module for module in modules() if not test_file(module).is_file() and module not in STILL_MISSING]
    assert missing == [], "a module is tested by the file of its name in the same folder below tests/"


def test_what_is_still_missing_is_not_there() -> None:
    there = [module for module in STILL_MISSING if test_file(module).is_file() or not (ROOT / module).is_file()]
    assert there == [], "these have got their file, or are gone: take them off tests/still_missing.txt"


def test_exemptions_are_needed() -> None:
    names = [str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [pattern for pattern in EXEMPT if not any(fnmatch(name, pattern) for name in names)] == []


@pytest.mark.parametrize("folder", sorted(path for path in (ROOT / "tests").rglob("*") if path.is_dir()), ids=str)
def test_test_files_have_heads(folder: Path) -> None:
    files = sorted(folder.glob("test_*.py"))
    assert [path.name for path in files if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_project_speaks_of_itself_alone() -> None:
    """No path of the machine that something was written on gets into the repository."""
    command = [
        "git",
        "grep",
        "--extended-regexp",
        "--line-number",
        "-I",
        r"(^|[^a-z.])/(work|root|home/[a-z]+)/",
        "--",
        ".",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    assert [line for line in listed if not line.startswith(("tests/test_house.py", "tests/data/"))] == []
