"""Graphs in half precision have the kernels that ONNX Runtime makes of them: those of float32, and casts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from latcast.schema import Graph
from predictors.features.kernels import ExecutionTraits, predict_kernels
from predictors.features.kernels.rewrite.half_precision import widened
from predictors.testing import random_graph
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import STRUCTURES, Model, executed, predicted, silu, transformer_block

NEARLY = {
    "padded", "constants_and_copies", "transformer_block", "torch_attention", "split_by_gathers",
    "activation_LeakyRelu",
}  # fmt: skip
"""Those whose kernels are not the runtime's one for one: it folds padding and copies before it casts, and more."""


def in_halves(content: bytes) -> bytes:
    """The model with weights, inputs and results in float16."""
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for info in [*model.graph.input, *model.graph.output]:
        info.type.tensor_type.elem_type = TensorProto.FLOAT16
    del model.graph.value_info[:]
    return model.SerializeToString()


def halved(graph: Graph) -> Graph:
    """The graph with float16 for float32."""
    tensors = tuple(
        replace(tensor, dtype="float16" if tensor.dtype == "float32" else tensor.dtype) for tensor in graph.tensors
    )
    return replace(graph, tensors=tensors)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda item: item.__name__)
def test_kernels_are_those_of_the_runtime(structure: Callable[[Model], str], tmp_path: Path) -> None:
    model = Model()
    content = in_halves(model.build(structure(model)))
    found, wanted = predicted(content), executed(content, tmp_path)
    if structure.__name__ not in NEARLY:
        assert found == wanted
    assert sum((found - wanted).values()) + sum((wanted - found).values()) <= 5


def test_weights_are_read_in_single_precision() -> None:
    model = Model()
    content = model.build(model.conv(model.input(1, 16, 8, 8), 16, 32))
    single, half = (
        next(kernel for kernel in predict_kernels(load_graph(item)) if kernel.operator == "Conv")
        for item in (content, in_halves(content))
    )
    assert half.parameter_bytes == single.parameter_bytes
    assert half.input_bytes == single.input_bytes


def test_openvino_casts_nothing() -> None:
    model = Model()
    content = model.build(transformer_block(model))
    openvino = ExecutionTraits("openvino")
    single, half = (
        [kernel.operator for kernel in predict_kernels(load_graph(item), openvino)]
        for item in (content, in_halves(content))
    )
    assert [name for name in half if name != "Cast"] == single
    assert half.count("Cast") <= 2  # what comes in and what goes out


def test_kernels_name_the_nodes_of_the_graph_in_halves() -> None:
    model = Model()
    graph = load_graph(in_halves(model.build(silu(model))))
    kernels = predict_kernels(graph)
    assert {node for kernel in kernels for node in kernel.nodes} == set(range(len(graph.nodes)))


def test_single_precision_stays_as_it_is() -> None:
    model = Model()
    graph = load_graph(model.build(silu(model)))
    assert widened(graph) == (graph, None)


@given(st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_every_graph_in_halves_has_sound_kernels(seed: int) -> None:
    graph = halved(random_graph(np.random.default_rng(seed)))
    wide, owners = widened(graph)
    assert owners is not None
    assert len(owners) == len(wide.nodes)
    written = {*wide.inputs, *wide.initializers, *wide.outer}
    for node in wide.nodes:
        assert {tensor for tensor in node.inputs if tensor >= 0} <= written
        written.update(node.outputs)
    assert [wide.tensors[tensor].dtype for tensor in wide.outputs] == [
        graph.tensors[tensor].dtype for tensor in graph.outputs
    ]
    assert set(wide.outputs) <= written
