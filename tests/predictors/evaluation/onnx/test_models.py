"""Models out of manifests: shapes, feeds, data beside the model, and what is wrong with some."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictors.evaluation.onnx import FailedModel, ManifestEntry, read_models
from profilers.onnx_graph import GraphLoader

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def model(*, rows: "int | str" = "n", name: str = "w") -> onnx.ModelProto:
    """y = x · w, the weights inside."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", name], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 3])],
        [numpy_helper.from_array(WEIGHTS, name)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def loader():
    with GraphLoader() as result:
        yield result


def read(loader, *entries):
    return list(read_models(entries, loader))


def test_shapes_come_from_the_manifest_or_from_the_feeds(tmp_path, loader):
    path, feeds = tmp_path / "m.onnx", tmp_path / "f.npz"
    path.write_bytes(model().SerializeToString())
    np.savez(feeds, x=np.zeros((5, 4), np.float32))
    by_shape, by_feeds = read(
        loader,
        ManifestEntry(name="a", onnx=path, shapes={"x": (2, 4)}),
        ManifestEntry(name="b", onnx=path, feeds=feeds),
    )
    assert by_shape.graph.tensors[by_shape.graph.inputs[0]].shape == (2, 4)
    assert by_feeds.graph.tensors[by_feeds.graph.inputs[0]].shape == (5, 4)
    assert by_feeds.feeds["x"].shape == (5, 4)
    assert by_shape.feeds is None
    assert by_shape.digest != by_feeds.digest
    fixed = onnx.load_from_string(by_shape.content()).graph.input[0].type.tensor_type.shape
    assert [dim.dim_value for dim in fixed.dim] == [2, 4]
    assert by_shape.content(bound=False) == path.read_bytes()


def test_what_is_wrong_is_said_with_its_stage(tmp_path, loader):
    good, bad, feeds = tmp_path / "m.onnx", tmp_path / "bad.onnx", tmp_path / "f.npz"
    good.write_bytes(model().SerializeToString())
    bad.write_bytes(b"nonsense")
    np.savez(feeds, x=np.zeros((5, 4), np.float64))
    failed = read(
        loader,
        ManifestEntry(name="missing", onnx=tmp_path / "no.onnx"),
        ManifestEntry(name="folder", onnx=tmp_path),
        ManifestEntry(name="broken", onnx=bad),
        ManifestEntry(name="unbound", onnx=good),
        ManifestEntry(name="misfit", onnx=good, shapes={"x": (2, 5)}),
        ManifestEntry(name="no feeds", onnx=good, feeds=tmp_path / "no.npz"),
        ManifestEntry(name="broken feeds", onnx=good, feeds=bad),
        ManifestEntry(name="wrong type", onnx=good, feeds=feeds),
    )
    assert all(isinstance(one, FailedModel) and one.message for one in failed)
    assert [one.stage for one in failed] == ["load"] * 5 + ["feeds"] * 3
