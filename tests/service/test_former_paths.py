"""Paths of version 0.1 can be imported, say where their contents are now, and give the same objects."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import latcast
from latcast import errors, schema

ROOT = Path(__file__).parents[2]
FORMER = {
    "service.client": (latcast, ["Client", "item"], "from latcast import Client, item"),
    "service.errors": (
        errors,
        [
            *("AuthenticationError", "BodyTooLargeError", "ConflictError", "ForbiddenError", "LeaseLostError"),
            *("NotFoundError", "RateLimitedError", "ServiceError", "UnavailableError"),
        ],
        "latcast.errors",
    ),
    "profilers.schema": (schema, schema.__all__, "latcast.schema"),
}


@pytest.mark.parametrize("path", FORMER)
def test_former_paths_warn_and_give_the_same_objects(path: str) -> None:
    new, names, words = FORMER[path]
    sys.modules.pop(path, None)
    with pytest.warns(DeprecationWarning, match="0.3") as caught:
        module = importlib.import_module(path)
    assert words in str(caught[0].message)
    for name in names:
        assert getattr(module, name) is getattr(new, name), name


@pytest.mark.parametrize("path", FORMER)
def test_whoever_imports_a_former_path_is_named_in_the_warning(path: str, tmp_path: Path) -> None:
    """The warning is shown for the caller's line, as Python shows those of a main module without being asked."""
    script = tmp_path / "mine.py"
    script.write_text(f"import {path}\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine.py:1: DeprecationWarning" in done.stderr


def test_nothing_of_ours_imports_a_former_path() -> None:
    for package in ("latcast", "profilers", "predictors", "service", "benchmarks", "migrations"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text()
            for path in FORMER:
                package_name, _, name = path.partition(".")
                assert f"from {path} import" not in text, file
                assert f"import {path}" not in text, file
                assert f"from {package_name} import {name}" not in text, file
