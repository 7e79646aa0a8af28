"""NNLQP's lines as rows with graphs."""

from pathlib import Path

import pytest

from latcast.schema import InputError
from predictors.data.importers import import_nnlqp
from profilers.onnx_graph import load_graph
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.layers import conv, flatten, global_pool, linear


def model(channels: int) -> bytes:
    net = GraphBuilder("net")
    net.output(linear(net, flatten(net, global_pool(net, conv(net, net.input("x", (1, 3, 8, 8)), channels, 3))), 5))
    return net.to_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "onnx").mkdir()
    for channels in (4, 8):
        (tmp_path / "onnx" / f"{channels}.onnx").write_bytes(model(channels))
    (tmp_path / "onnx" / "broken.onnx").write_bytes(b"\x08\x07\x12 nothing")
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    (folder / "gt.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_lines_become_rows_with_graphs(folder: Path) -> None:
    lines = ("1 onnx/4.onnx 1 2.5 net 2 train", "2 onnx/8.onnx 1 3.5 net 2 test", "3 onnx/4.onnx 1 9.5 net 23")
    imported = import_nnlqp(write(folder, *lines))
    assert imported.dataset.latency_ms.tolist() == [2.5, 3.5, 9.5]
    assert [query.target.device for query in imported.dataset.queries] == ["platform-2", "platform-2", "platform-23"]
    graphs = [query.graph for query in imported.dataset.queries]
    assert graphs[0] is graphs[2]
    assert set(imported.models) == {graph.hash for graph in graphs}


def test_the_batch_size_changes_the_graph(folder: Path) -> None:
    imported = import_nnlqp(write(folder, "1 onnx/4.onnx 1 1 net 2", "2 onnx/4.onnx 8 5 net 2"))
    one, eight = (query.graph for query in imported.dataset.queries)
    assert [graph.tensors[graph.inputs[0]].shape for graph in (one, eight)] == [(1, 3, 8, 8), (8, 3, 8, 8)]
    assert eight.macs == 8 * one.macs
    assert {load_graph(content).hash for content in imported.models.values()} == {one.hash, eight.hash}


def test_lines_that_cannot_be_used_are_named(folder: Path) -> None:
    lines = (
        "1 onnx/4.onnx 1 2.5 net 2",
        "2 onnx/4.onnx 1 2.6 net 2",
        "3 onnx/absent.onnx 1 1 net 2",
        "4 onnx/broken.onnx 1 1 net 2",
        "5 ../secret.onnx 1 1 net 2",
        "6 onnx/8.onnx 0 1 net 2",
        "7 onnx/8.onnx 1 nan net 2",
        "too short",
    )
    (folder.parent / "secret.onnx").write_bytes(model(2))
    imported = import_nnlqp(write(folder, *lines))
    assert imported.report.rows == 1
    reasons = {item.what: item.reason for item in imported.report.skipped}
    assert list(reasons) == [f"gt.txt line {number}" for number in range(2, 9)]
    assert "out of the folder" in reasons["gt.txt line 5"]
    assert "twice" in reasons["gt.txt line 2"]


def test_a_folder_that_is_no_data_set_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"gt\.txt"):
        import_nnlqp(folder)
    with pytest.raises(InputError, match="No line"):
        import_nnlqp(write(folder, "1 onnx/absent.onnx 1 1 net 2"))
