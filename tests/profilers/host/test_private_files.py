"""Files that hold secrets are the owner's alone, and whole whatever happens while they are written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profilers.host.private_files import read_private, require_own, restrict, write_private


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_is_written_anew_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "né")
    assert (path.read_text(encoding="utf-8"), mode(path)) == ("né", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_crash_while_writing_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_private(path, "old")

    def crash(_descriptor: int) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="power"):
            write_private(path, "new")
    assert path.read_text() == "old"
    write_private(path, "newer")  # what the crash left behind is in nobody's way
    assert path.read_text() == "newer"


def test_the_contents_and_then_the_name_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = [], os.fsync

    def record(descriptor: int) -> None:
        synced.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")).name, (tmp_path / "key").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    write_private(tmp_path / "key", "secret")
    assert synced == [("key.draft", False), (tmp_path.name, True)]


def test_a_link_in_place_of_the_draft_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (tmp_path / "key.draft").symlink_to(elsewhere)
    write_private(tmp_path / "key", "secret")
    assert elsewhere.read_text() == "untouched"


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o777, 0o700), (0o600, 0o600), (0o440, 0o400)])
def test_others_lose_their_rights_and_the_owner_none(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(before)
    assert restrict(path)
    assert mode(path) == after


def test_rights_that_cannot_be_taken_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o644)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError("another user's")

    monkeypatch.setattr(Path, "chmod", refuse)
    assert not restrict(path)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_another_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("secret")
    path.symlink_to(other)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_file_with_a_hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**33)


FOREIGN = [a_pipe, a_link_without_end, a_link_to_another_file, a_folder, a_file_with_a_hole]
"""What may stand in a file's place: reading it would wait, fill the memory, or read something else."""


@pytest.mark.parametrize("foreign", FOREIGN)
def test_nothing_but_a_file_of_its_size_is_read(tmp_path: Path, foreign: Callable[[Path], None]) -> None:
    path = tmp_path / "key"
    foreign(path)
    with pytest.raises(OSError, match=r".") as refused:
        read_private(path, most_bytes=1000)
    assert refused.value.filename == str(path) or refused.value.filename == path
    path.unlink() if not path.is_dir() else path.rmdir()
    write_private(path, "x" * 1000)
    assert read_private(path, most_bytes=1000) == b"x" * 1000


def test_files_and_folders_of_others_are_refused_unless_root_is_given_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    write_private(path, "secret")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1000)
    if os.getuid() != 0:  # what root owns is trusted
        with pytest.raises(PermissionError, match="belongs to another user"):
            read_private(path, most_bytes=1000)
        with pytest.raises(PermissionError, match="belongs to another user"):
            require_own(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_private(path, most_bytes=1000) == b"secret"
    require_own(tmp_path)


def test_others_lose_their_rights_on_a_folder_or_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    require_own(tmp_path)
    assert mode(tmp_path) == 0o700
    tmp_path.chmod(0o777)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(PermissionError, match="others may write there"):
        require_own(tmp_path)
