"""Files that a table names are read once, failures included."""

from pathlib import Path

import pytest

from latcast.schema import Graph, InputError
from predictors.data.importers.graph_files import GraphFiles
from profilers.onnx_graph import load_graph
from tests.predictors.data.importers.test_nnlqp import model


def test_each_file_and_batch_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(model(4))
    (tmp_path / "b.onnx").write_bytes(b"nonsense")
    asked = []

    def prepare(content: bytes, batch: int | None) -> tuple[Graph, bytes]:
        asked.append(batch)
        return load_graph(content), content

    files = GraphFiles(tmp_path, prepare)
    assert files.graph("a.onnx") is files.graph("a.onnx")
    files.graph("a.onnx", 2)
    for _ in range(2):
        with pytest.raises(InputError, match=r"b\.onnx"):
            files.graph("b.onnx")
    assert asked == [None, 2, None]
    assert len(files.models) == 1
