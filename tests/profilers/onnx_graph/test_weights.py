"""Stripped models are small and keep what matters; refilled ones run and are the same everywhere."""

import hashlib
import tracemalloc
from collections.abc import Iterable
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from onnx import ModelProto, TensorProto, helper, numpy_helper

from latcast.schema import ModelLimitError
from profilers.onnx_graph import Limits, load_graph, placeholder, refill_weights, strip_weights, write_refilled
from tests.profilers.onnx_graph.models import F, made
from tests.strategies import onnx_protos

_RNG = np.random.default_rng(0)


def _model(nodes, shape, constants, *, output=TensorProto.FLOAT) -> bytes:
    tensors = [value if isinstance(value, TensorProto) else numpy_helper.from_array(value, name)
               for name, value in constants.items()]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", output, None)], tensors,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def _tensors(model: bytes) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in ModelProto.FromString(model).graph.initializer}


class Sink:
    """A file that keeps nothing but its size."""

    size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self.write(part)


def _run(model: bytes) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feeds = {item.name: _RNG.standard_normal(item.shape).astype(np.float32) for item in session.get_inputs()}
    return session.run(None, feeds)


@settings(max_examples=30, deadline=None)
@given(onnx_protos())
def test_refilled_models_run(proto: ModelProto):
    model = proto.SerializeToString()
    refilled = refill_weights(strip_weights(model), seed=1)
    for output, expected in zip(_run(refilled), _run(model), strict=True):
        assert output.shape == expected.shape
        assert output.dtype == expected.dtype
    assert load_graph(refilled).nodes == load_graph(model).nodes


@cache
def _mixed() -> bytes:
    return _model(
        [("Conv", ["x", "w", "small"], ["c"]), ("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
         ("DequantizeLinear", ["q", "s", "z"], ["d"], {"axis": 0}), ("Reshape", ["n", "shape"], ["r"]),
         ("MatMul", ["r", "d"], ["y"])],
        (1, 2, 1, 1),
        {"w": _RNG.standard_normal((24, 2, 1, 1)).astype("f"), "small": np.zeros(24, "f"),
         "g": np.full(24, 2, "f"), "b": np.zeros(24, "f"), "m": np.zeros(24, "f"), "v": np.ones(24, "f"),
         "q": _RNG.integers(-128, 128, (24, 10)).astype(np.int8), "s": np.full(24, 0.01, "f"),
         "z": np.zeros(24, np.int8),
         "shape": np.array([1, -1])},
    )  # fmt: skip


def test_what_is_stripped_and_what_stays():
    before, after = _tensors(_mixed()), _tensors(strip_weights(_mixed()))
    kept = {name for name, tensor in after.items() if tensor.raw_data}
    assert kept == {"s", "z", "shape"}
    for name, tensor in after.items():
        assert (tensor.data_type, tensor.dims) == (before[name].data_type, before[name].dims)
    assert strip_weights(strip_weights(_mixed())) == strip_weights(_mixed())


def test_refilled_values_follow_their_roles():
    filled = {
        name: numpy_helper.to_array(tensor)
        for name, tensor in _tensors(refill_weights(strip_weights(_mixed()))).items()
    }
    assert filled["v"].min() >= 0.5
    assert abs(filled["g"].mean() - 1) < 0.2
    assert filled["w"].std() == pytest.approx(1 / np.sqrt(2), rel=0.4)
    assert len(np.unique(filled["q"])) > 50
    np.testing.assert_array_equal(filled["s"], np.full(24, 0.01, "f"))
    assert np.isfinite(_run(refill_weights(strip_weights(_mixed())))[0]).all()


def test_refilling_is_deterministic_and_seeded():
    stripped = strip_weights(_mixed())
    assert refill_weights(stripped, seed=7) == refill_weights(stripped, seed=7)
    assert refill_weights(stripped, seed=7) != refill_weights(stripped, seed=8)
    assert refill_weights(_mixed()) == _mixed()


def test_refilled_bits_never_change():
    """Every machine and every version has to fill in the same bits, or their measurements differ."""
    model = _model([("MatMul", ["x", "w"], ["y"])], (1, 8), {"w": placeholder("w", (8, 16))})
    (tensor,) = _tensors(refill_weights(model, seed=5)).values()
    assert hashlib.sha256(tensor.raw_data).hexdigest()[:16] == "36328a03f6415d9f"


@pytest.mark.parametrize(
    ("dtype", "role", "digest"),
    [
        ("float32", "normal", "08a1bd462c0f330e"), ("float32", "positive", "018a1f24041cd0f4"),
        ("float16", "scale", "9f331afe5c54131a"), ("bfloat16", "normal", "349d3f8fedd59a93"),
        ("int8", "uniform", "996a9d8ce22db9aa"), ("int4", "uniform", "260f04c0e75cad2b"),
    ],
)  # fmt: skip
def test_bits_are_the_same_in_however_many_pieces_they_are_made(dtype: str, role: str, digest: str) -> None:
    tensor = placeholder("w", (700, 751), dtype=dtype, role=role)
    model = _model([("Identity", ["w"], ["y"])], (1,), {"w": tensor}, output=tensor.data_type)
    (filled,) = _tensors(refill_weights(model, seed=3)).values()
    assert hashlib.sha256(filled.raw_data).hexdigest()[:16] == digest


def test_values_are_made_while_they_are_written() -> None:
    size = 64 * 2**20
    model = _model([("MatMul", ["x", "w"], ["y"])], (1, 2048), {"w": placeholder("w", (2048, size // 4 // 2048))})
    sink = Sink()
    tracemalloc.start()
    write_refilled(model, sink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < sink.size < size + 1000
    assert peak < size / 4


def test_tensors_of_nodes_bodies_and_functions_are_filled_where_they_are() -> None:
    def constant(name: str) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [name], value=placeholder("", (8, 8)))

    def branch(name: str) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(f"b{name}", TensorProto.FLOAT, (1, 8))
        nodes = [constant(f"k{name}"), helper.make_node("MatMul", ["x", f"k{name}"], [f"b{name}"])]
        return helper.make_graph(nodes, name, [], [value])

    inner = helper.make_function(
        "own", "f", ["p"], ["q"], [constant("k"), helper.make_node("MatMul", ["p", "k"], ["q"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("If", ["yes"], ["c"], then_branch=branch("1"), else_branch=branch("2")), constant("k"),
         helper.make_node("MatMul", ["c", "k"], ["d"]), helper.make_node("MatMul", ["d", "w"], ["e"]),
         helper.make_node("f", ["e"], ["y"], domain="own")],
        "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8))],
        [placeholder("w", (8, 8)), numpy_helper.from_array(np.array(True), "yes")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[inner], ir_version=8).SerializeToString()
    filled = ModelProto.FromString(refill_weights(model, seed=1))
    nodes = filled.graph.node
    branches = [attribute.g.node[0] for attribute in nodes[0].attribute]
    constants = [node.attribute[0].t for node in (*branches, nodes[1], filled.functions[0].node[0])]
    values = [numpy_helper.to_array(tensor).tobytes() for tensor in (*constants, filled.graph.initializer[0])]
    assert len(set(values)) == 5, "each has values of its own"
    assert np.isfinite(_run(filled.SerializeToString())[0]).all()


def test_denormal_weights_are_flagged_and_refilled_as_others():
    weights = _RNG.standard_normal((8, 8)).astype("f")
    model = _model([("MatMul", ["x", "w"], ["y"])], (1, 8), {"w": weights})
    weights[3, 3] = 1e-40
    denormal = _model([("MatMul", ["x", "w"], ["y"])], (1, 8), {"w": weights})
    assert load_graph(denormal).denormal_weights
    assert not load_graph(model).denormal_weights
    assert strip_weights(denormal) == strip_weights(model)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int4"])
def test_placeholders_of_all_weight_types_are_filled(dtype: str):
    tensor = placeholder("w", (5, 7), dtype=dtype, role="uniform" if "int" in dtype else "normal")
    model = _model([("Identity", ["w"], ["y"])], (1,), {"w": tensor}, output=tensor.data_type)
    (filled,) = _tensors(refill_weights(model)).values()
    assert numpy_helper.to_array(filled).shape == (5, 7)
    load_graph(refill_weights(model))


def test_refilling_is_limited():
    model = _model([("MatMul", ["x", "w"], ["y"])], (1, 8), {"w": placeholder("w", (8, 2**20))})
    with pytest.raises(ModelLimitError, match="constant_bytes"):
        refill_weights(model, limits=Limits(constant_bytes=2**20))


def test_small_denormal_constants_become_zero_where_the_hash_does_not_see_their_values() -> None:
    bias = np.array([1.0, 1e-40, -1e-41, 0.5], np.float32)
    add = helper.make_node("MatMul", ["x", "w"], ["h"])
    normalised = helper.make_node("LayerNormalization", ["h", "scale", "bias"], ["y"])
    constants = [("w", np.ones((8, 4), np.float32)), ("scale", np.ones(4, np.float32)), ("bias", bias)]
    stored = onnx.load_from_string(strip_weights(made([add, normalised], [("x", F, (2, 8))], [("y", F)], constants)))
    (kept,) = [tensor for tensor in stored.graph.initializer if tensor.name == "bias"]
    assert numpy_helper.to_array(kept).tolist() == [1.0, 0.0, 0.0, 0.5]
