"""Valid models with attributes, types, shapes and operator sets changed: finite forecasts, or an error of latcast."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper

from latcast.schema import LatcastError, Target
from predictors.base import Predictor, Query
from predictors.registry import predictor_class, pretrained
from predictors.testing import DEVICES, measure, random_graph
from profilers.onnx_graph import GraphLoader
from tests.strategies import onnx_protos

ANY = Target(device="any", backend="onnxruntime", backend_version="1")
NUMBERS = st.sampled_from([-(2**63), -3, -1, 0, 1, 2, 7, 2**31, 2**62, 2**63 - 1])
VALUES = st.one_of(
    NUMBERS, st.floats(width=32), st.sampled_from(["", "nearest", "\x1b[2J"]), st.lists(NUMBERS, min_size=1, max_size=5)
)  # fmt: skip
NAMES = ("axis", "group", "strides", "pads", "kernel_shape", "dilations", "perm", "alpha", "transB", "keepdims")
OPERATORS = ("Conv", "MatMul", "Softmax", "Split", "Resize", "LayerNormalization", "Gather", "Loop", "Reshape", "TopK")
TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.BOOL, TensorProto.STRING, 99)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A model that was valid."""
    proto = draw(onnx_protos(max_nodes=5))
    for change in draw(st.lists(st.sampled_from([_attribute, _operator, _type, _size, _opset, _inputs]), min_size=1,
                                max_size=3)):  # fmt: skip
        change(draw, proto)
    return bytes(proto.SerializeToString())


def _node(draw: st.DrawFn, proto: ModelProto) -> NodeProto:
    return proto.graph.node[draw(st.integers(0, len(proto.graph.node) - 1))]


def _attribute(draw: st.DrawFn, proto: ModelProto) -> None:
    node, name = _node(draw, proto), draw(st.sampled_from(NAMES))
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, draw(VALUES))])


def _operator(draw: st.DrawFn, proto: ModelProto) -> None:
    _node(draw, proto).op_type = draw(st.sampled_from(OPERATORS))


def _type(draw: st.DrawFn, proto: ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = draw(st.sampled_from(TYPES))


def _size(draw: st.DrawFn, proto: ModelProto) -> None:
    for dim in proto.graph.input[0].type.tensor_type.shape.dim[:1]:
        dim.dim_value = draw(NUMBERS)


def _opset(draw: st.DrawFn, proto: ModelProto) -> None:
    proto.opset_import[0].version = draw(st.sampled_from([1, 7, 11, 13, 18, 21, 999]))


def _inputs(draw: st.DrawFn, proto: ModelProto) -> None:
    node = _node(draw, proto)
    names = list(node.input)
    del node.input[:]
    node.input.extend(draw(st.permutations(names * 2))[: draw(st.integers(0, 4))])


@pytest.fixture(scope="module")
def loader() -> Iterator[GraphLoader]:
    with GraphLoader() as loader:
        yield loader


@pytest.fixture(scope="module")
def predictors() -> list[tuple[Predictor, Target]]:
    """The predictors that read any graph, each with a target that it forecasts for."""
    rng = np.random.default_rng(0)
    data = measure([random_graph(rng) for _ in range(40)], DEVICES[:1], rng)
    fitted = [predictor_class(kind)() for kind in ("flops", "boosted_trees", "kernel_sum")]
    for predictor in fitted:
        predictor.fit(data)
    return [*((predictor, data.queries[0].target) for predictor in fitted), (pretrained("universal-graphs"), ANY)]


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(changed())
def test_forecasts_are_finite_or_an_error_of_ours(
    loader: GraphLoader, predictors: list[tuple[Predictor, Target]], content: bytes
) -> None:
    try:
        graph = loader.load(content)
    except LatcastError:
        return
    for predictor, target in predictors:
        try:
            prediction = predictor.predict([Query(target=target, graph=graph)])
        except LatcastError:
            continue
        assert np.isfinite(prediction.median_ms).all()
        assert (prediction.median_ms > 0).all()
