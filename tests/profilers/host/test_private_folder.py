"""Folders of killed processes are swept by later ones; those of the living, of others and of other names stay."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profilers.host.private_folder import YOUNG_S, PrivateFolder, sweep_left_folders

OTHER = """
import time
from profilers.host.private_folder import PrivateFolder
with PrivateFolder() as folder:
    (folder / "model.onnx").write_bytes(b"weights")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def other() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    yield process
    process.kill()
    process.wait()


def folder_of(process: "subprocess.Popen[str]") -> Path:
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert (folder / "model.onnx").exists()
    return folder


def age(folder: Path) -> None:
    then = time.time() - 2 * YOUNG_S
    os.utime(folder, (then, then))


def test_a_folder_is_its_owners_alone_and_goes_at_the_end() -> None:
    with PrivateFolder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        age(folder)
        assert sweep_left_folders() == 0
        assert folder.exists()
    assert not folder.exists()


def test_what_a_killed_process_left_is_swept_by_the_next_folder(other: "subprocess.Popen[str]") -> None:
    folder = folder_of(other)
    age(folder)
    assert sweep_left_folders() == 0  # it lives
    other.send_signal(signal.SIGKILL)
    other.wait()
    with PrivateFolder() as mine:
        assert not folder.exists()
        assert mine.exists()


def test_a_process_whose_id_cannot_be_seen_keeps_its_folder(other: "subprocess.Popen[str]") -> None:
    folder = folder_of(other)
    unseen = folder.rename(folder.with_name("latcast-4000000000-17-abcdefgh"))
    age(unseen)
    assert sweep_left_folders() == 0
    other.kill()
    other.wait()
    assert sweep_left_folders() == 1


def test_only_folders_of_ours_are_swept(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    (kept / "file").write_text("mine")
    (tmp_path / "latcast-4000000000-1-aaaaaaaa").symlink_to(kept)
    (tmp_path / "latcast-4000000000-1-bbbbbbbb").write_text("no folder")
    for name in ("latcast-abcdefgh", "latcast-4000000000-1-cccccccc", "other-4000000000-1-dddddddd"):
        (tmp_path / name).mkdir()
    age(tmp_path / "latcast-abcdefgh")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert sweep_left_folders() == 0  # one is young, the others are none
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (kept / "file").read_text() == "mine"


def test_a_folder_that_is_not_there_sweeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert sweep_left_folders() == 0
