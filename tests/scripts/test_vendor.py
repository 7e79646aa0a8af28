"""The third-party files of the dashboard are those that were fetched, and each has its licence."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def vendor(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("vendor")


def test_files_are_as_they_were_fetched(vendor: ModuleType) -> None:
    assert vendor.problems(vendor.VENDOR) == []
    for name, entry in vendor.read_manifest(vendor.VENDOR).items():
        assert entry["integrity"].startswith("sha512-"), name
        assert entry["licence"] in {"MIT", "Apache-2.0"}
        assert any(file.endswith(".LICENSE") for file in entry["files"]), name


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "htm.js").unlink(), "htm.js is missing"),
        (lambda folder: (folder / "htm.js").write_text("x"), "htm.js is not the file that was fetched"),
        (lambda folder: (folder / "more.js").write_text("x"), "more.js belongs to no package of vendor.json"),
    ],
)
def test_changes_are_noticed(
    vendor: ModuleType, tmp_path: Path, change: Callable[[Path], object], problem: str
) -> None:
    folder = tmp_path / "vendor"
    shutil.copytree(vendor.VENDOR, folder)
    change(folder)
    assert vendor.problems(folder) == [problem]
