"""A pipe that nobody writes to is told from a file at once."""

import os
from pathlib import Path

import pytest

from latcast.onnx_files import read_model, without_weights
from latcast.onnx_files.opening import opened
from latcast.schema import InputError


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path, content = tmp_path / "model.onnx", os.urandom(2**20)
    path.write_bytes(content)
    with opened(path) as file:
        assert file.read() == content


@pytest.mark.parametrize("read", [read_model, without_weights])
def test_a_named_pipe_without_a_writer_is_not_waited_for(tmp_path: Path, read: object) -> None:
    path = tmp_path / "model.onnx"
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"is a pipe or a device.*save the model to a file first"):
        read(path)  # type: ignore[operator]
