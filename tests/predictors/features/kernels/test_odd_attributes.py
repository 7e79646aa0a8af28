"""Whatever attributes a model has, its features are finite or an error of latcast: never another exception."""

import itertools
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from latcast.schema import Graph, LatcastError, Node, TensorSpec, UnsupportedGraphError
from predictors.features.coverage import OperatorRanges
from predictors.features.flat import flat_features
from predictors.features.kernels import ExecutionTraits, predict_kernels
from predictors.features.kernels.table import read_table
from profilers.onnx_graph import load_graph

TRAITS = [
    ExecutionTraits(),
    ExecutionTraits(precision="int8_dynamic"),
    ExecutionTraits(precision="int8_static"),
    ExecutionTraits(backend="openvino"),
    ExecutionTraits(optimisation="disabled"),
]
OPERATORS = [
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "Gemm", "MatMul", "Softmax", "LayerNormalization", "Transpose",
    "Concat", "Split", "Slice", "Gather", "ReduceMean", "Reshape", "Resize", "Pad", "LSTM", "DynamicQuantizeLSTM",
    "MatMulNBits", "TopK", "ScatterND", "DFT", "RoiAlign", "LRN", "BatchNormalization", "Attention", "Sum", "Max",
    "Cast", "Flatten", "QLinearConv", "QLinearConcat", "GridSample", "RotaryEmbedding", "TreeEnsembleClassifier",
    "BiasAdd", "Add", "Where", "Einsum", "Dropout", "Relu", "ArgMax", "Expand", "GatherND", "NonMaxSuppression",
]  # fmt: skip
NAMES = [
    "group", "axis", "strides", "pads", "dilations", "kernel_shape", "perm", "block_size", "bits", "K", "N", "layout",
    "num_heads", "mode", "size", "to", "sampling_ratio", "frame_length", "alpha", "transB", "nodes_treeids",
]  # fmt: skip
NUMBERS = st.sampled_from([-(2**63), -3, -1, 0, 1, 2, 7, 2**31, 2**63 - 1])
VALUES = st.one_of(
    NUMBERS,
    st.floats(width=32),
    st.sampled_from(["", "nearest", "odd"]),
    st.lists(NUMBERS, max_size=5).map(tuple),
    st.lists(st.floats(width=32), min_size=1, max_size=3).map(tuple),
)
SHAPES = st.one_of(st.none(), st.lists(st.sampled_from([0, 1, 2, 3, 16]), max_size=5).map(tuple))
DTYPES = st.sampled_from(["float32", "float16", "int8", "uint8", "int64", "bool"])
COUNTER = itertools.count()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Two nodes, one behind the other, with any tensors and attributes."""
    tensors = [
        TensorSpec(name=f"t{index}", dtype=draw(DTYPES), shape=draw(SHAPES)) for index in range(8)
    ]  # fmt: skip
    nodes = []
    for result in (6, 7):
        places = st.integers(-1, result - 1)
        nodes.append(
            Node(
                operator=draw(st.sampled_from(OPERATORS)),
                inputs=tuple(draw(st.lists(places, max_size=5))),
                outputs=(result,),
                attributes=draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)),
            )
        )
    return Graph(
        tensors=tuple(tensors), nodes=tuple(nodes), inputs=(0, 1), outputs=(7,), initializers=frozenset({2, 3}),
        opset=draw(st.sampled_from([11, 13, 17, 20])), hash=f"g1-{next(COUNTER)}",
    )  # fmt: skip


def features(graph: Graph, traits: ExecutionTraits) -> None:
    table = read_table(graph, traits.rewrite_rules)
    assert np.isfinite(table.values).all()
    assert np.isfinite(flat_features([graph])).all()
    assert np.isfinite(OperatorRanges.of([graph]).coverage(graph))


@settings(max_examples=300, deadline=None)
@given(graphs(), st.sampled_from(TRAITS))
def test_features_are_finite_or_an_error_of_ours(graph: Graph, traits: ExecutionTraits) -> None:
    with suppress(LatcastError):
        features(graph, traits)


def loaded(operator: str, shapes: list[list[int] | None], domain: str = "", **attributes: Any) -> Graph:
    """The graph of a file with one node of the operator."""
    names = [f"x{index}" for index in range(len(shapes))]
    node = helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(names, shapes, strict=True)
    ]  # fmt: skip
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "g", inputs, outputs), opset_imports=opsets, ir_version=9)
    return load_graph(model.SerializeToString())


@pytest.mark.parametrize("group", [0, -3])
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_convolutions_without_groups_are_refused(operator: str, group: int) -> None:
    with pytest.raises(LatcastError, match="group"):
        predict_kernels(loaded(operator, [[1, 4, 8, 8], [4, 4, 3, 3]], group=group))


def test_a_quantised_recurrence_without_recurrent_weights_has_a_kernel() -> None:
    kernels = predict_kernels(loaded("DynamicQuantizeLSTM", [[4, 1, 8], [1, 8, 32]], "com.microsoft", hidden_size=8))
    assert [kernel.operator for kernel in kernels] == ["Call", "DynamicQuantizeLSTM"]


def test_blocks_of_negative_size_are_refused() -> None:
    """As in a record that some older reader stored."""
    graph = loaded("MatMulNBits", [[2, 32], [8, 1, 16], [8]], "com.microsoft", K=32, N=8, bits=4, block_size=32)
    (node,) = graph.nodes
    graph = replace(graph, nodes=(replace(node, attributes={**node.attributes, "block_size": -2}),))
    with pytest.raises(UnsupportedGraphError, match="window would be negative or infinite"):
        read_table(graph, ExecutionTraits().rewrite_rules)
