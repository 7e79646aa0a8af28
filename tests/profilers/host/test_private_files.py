"""Files that hold secrets are the owner's alone, and whole whatever happens while they are written."""

import os
from pathlib import Path

import pytest

from profilers.host.private_files import restrict, write_private


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
