"""Places of values beside a model are checked before anything is read."""

from pathlib import Path

import pytest

from latcast.onnx_files.beside import FilesBeside
from latcast.onnx_files.records import TensorRecord
from latcast.schema import InvalidModelError


def tensor(code: int = 1, **where: str) -> TensorRecord:
    return TensorRecord(0, 0, name="w", code=code, dims=[3, 3], location={"location": "w.bin", **where})


@pytest.mark.parametrize(("code", "size"), [(1, 36), (10, 18), (3, 9), (22, 5), (9, 9)])
def test_a_place_has_the_bytes_that_the_type_needs(tmp_path: Path, code: int, size: int) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(range(40)))
    place = FilesBeside([tmp_path]).place(tensor(code, offset="2"))
    assert b"".join(place.chunks()) == bytes(range(2, 2 + size))


def test_a_file_that_shrinks_meanwhile_is_said(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(36))
    place = FilesBeside([tmp_path]).place(tensor())
    (tmp_path / "w.bin").write_bytes(bytes(35))
    with pytest.raises(InvalidModelError, match="shorter"):
        list(place.chunks())
    (tmp_path / "w.bin").unlink()
    with pytest.raises(InvalidModelError, match="No such file"):
        list(place.chunks())


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "w.bin").mkdir()
    with pytest.raises(InvalidModelError, match="no file in the model's folder"):
        FilesBeside([tmp_path]).place(tensor())
