"""Weights beside a model are taken in from its own folder, and from nowhere else."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latcast.schema import (
    InvalidModelError,
    ModelLimitError,
)
from profilers.onnx_graph import (
    Limits,
    inline_external_data,
)

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def model(*, name: str = "w") -> onnx.ModelProto:
    """y = x · w, the weights inside."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", name], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        [numpy_helper.from_array(WEIGHTS, name)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def outside(location: str, **more: object) -> bytes:
    """The same with the weights in a file."""
    proto = model()
    (tensor,) = proto.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto.SerializeToString()


def test_data_beside_the_model_are_taken_in(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"head" + WEIGHTS.tobytes() + b"tail")
    whole = onnx.load_from_string(inline_external_data(outside("sub/w.bin", offset=4, length=48), tmp_path))
    assert np.array_equal(numpy_helper.to_array(whole.graph.initializer[0]), WEIGHTS)
    plain = model(name="location").SerializeToString()
    assert inline_external_data(plain, tmp_path) is plain
    assert inline_external_data(b"nonsense with location", tmp_path) == b"nonsense with location"


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "a/../../w.bin", "link", "", "a\0b", "."])
def test_data_elsewhere_are_refused(tmp_path, location):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    os.symlink(tmp_path / "w.bin", home / "link")
    with pytest.raises(InvalidModelError, match="folder"):
        inline_external_data(outside(location), home)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"length": 10**9}, "too few"),
        ({"offset": 100}, "too few"),
        ({"length": "-1"}, "no number"),
        ({"offset": "9" * 30}, "no number"),
    ],
)
def test_lying_sizes_are_refused(tmp_path, more, words):
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(InvalidModelError, match=words):
        inline_external_data(outside("w.bin", **more), tmp_path)
    with pytest.raises(InvalidModelError, match="cannot be read"):
        inline_external_data(outside("missing.bin"), tmp_path)
    with pytest.raises(ModelLimitError):
        inline_external_data(outside("w.bin"), tmp_path, limits=Limits(tensor_bytes=10))
