"""The lock that keeps measurements apart."""

import fcntl
from pathlib import Path

import pytest

from profilers.host.exclusive import alone_on_this_host


def test_others_are_kept_out_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with alone_on_this_host():
        (path,) = tmp_path.iterdir()
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with alone_on_this_host():
        (path,) = tmp_path.iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), alone_on_this_host():
        pass
    assert not (tmp_path / "elsewhere").exists()
