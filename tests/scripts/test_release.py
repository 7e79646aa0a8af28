"""`scripts/release`: both distributions are built and checked, and what is wrong with one is said."""

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def release(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("release")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with little in it."""
    return write_wheel(tmp_path / "latcast-0-py3-none-any.whl", {"latcast/__init__.py": b"one"})


def write_wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.slow
def test_both_distributions_are_as_they_should_be(release: ModuleType, tmp_path: Path) -> None:
    built = release.build(tmp_path)
    release.check(built)
    assert built.sdist.name.removesuffix(".tar.gz") == "-".join(built.wheel.name.split("-")[:2])


def test_missing_modules_are_named(release: ModuleType, wheel: Path) -> None:
    with pytest.raises(release.ReleaseError, match=r"missing: .*'service/_migrations/env.py'.*; too much: \[\]"):
        release.check_contents(wheel)


def test_wheels_of_the_same_names_may_differ(release: ModuleType, wheel: Path, tmp_path: Path) -> None:
    other = write_wheel(tmp_path / "other.whl", {"latcast/__init__.py": b"two"})
    release.check_same(wheel, wheel)
    with pytest.raises(release.ReleaseError, match="the wheel of the sdist"):
        release.check_same(wheel, other)


def test_another_version_is_noticed(release: ModuleType, tmp_path: Path) -> None:
    metadata = b"Metadata-Version: 2.4\nName: latcast\nVersion: 0.0.1\n"
    wheel = write_wheel(tmp_path / "old.whl", {"latcast-0.0.1.dist-info/METADATA": metadata})
    with pytest.raises(release.ReleaseError, match=r"Of the version: '0\.0\.1'"):
        release.check_metadata(wheel)


def test_sources_are_what_git_has_without_tests(release: ModuleType, tmp_path: Path) -> None:
    copied = release.copy_sources(tmp_path)
    assert (copied / "latcast" / "__init__.py").is_file()
    assert (copied / "migrations" / "env.py").is_file()
    assert not (copied / "tests").exists()
    assert not (copied / ".venv").exists()


def test_failing_build_says_why(release: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="no setup.py")
    monkeypatch.setattr(release.subprocess, "run", lambda *_args, **_options: failed)
    with pytest.raises(release.ReleaseError, match=r"no setup\.py"):
        release.run_build(tmp_path, tmp_path)
