"""The lock that keeps measurements apart, and that nobody else can hold up."""

import fcntl
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from latcast.schema import LatcastError
from profilers.host.exclusive import alone_on_this_host


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder and a home of the test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _user: SimpleNamespace(pw_dir=str(tmp_path / "home")))
    return tmp_path / "home"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Where the lock is as long as nobody is in the way."""
    return tmp_path / "tmp" / f"latcast-{os.getuid()}.lock"


def is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_others_are_kept_out_while_it_is_held(lock: Path, home: Path) -> None:
    with alone_on_this_host():
        assert is_held(lock)
        assert lock.stat().st_mode & 0o077 == 0
    assert not is_held(lock)
    assert not home.exists()


def squat_with_a_link(lock: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    lock.symlink_to(lock.parent / "elsewhere")


def squat_with_a_folder(lock: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    lock.mkdir()


def squat_with_a_pipe(lock: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(lock)


def squat_as_another_user(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock.touch(mode=0o666)
    fstat, taken = os.fstat, lock.stat().st_ino

    def owned_by_another(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        return os.stat_result((*status[:4], 4242, *status[5:10])) if status.st_ino == taken else status

    monkeypatch.setattr(os, "fstat", owned_by_another)


@pytest.mark.parametrize("squat", [squat_with_a_link, squat_with_a_folder, squat_with_a_pipe, squat_as_another_user])
def test_whoever_makes_the_file_first_holds_nobody_up(
    squat: Callable[[Path, pytest.MonkeyPatch], None], lock: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squat(lock, monkeypatch)
    with alone_on_this_host():
        (path,) = (home / ".cache" / "latcast").iterdir()
        assert is_held(path)
        assert path.parent.stat().st_mode & 0o077 == 0
        with pytest.raises(BlockingIOError), path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (lock.parent / "elsewhere").exists()


def test_without_any_place_a_sentence_says_what_is_in_the_way(lock: Path, home: Path) -> None:
    lock.mkdir()
    home.write_text("no folder")
    with pytest.raises(LatcastError, match=rf"{lock} \(Is a directory\).*measuring-.*Remove what is in the way"):
        alone_on_this_host().__enter__()
