"""Layers spelled out in parts compute what their operators do."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from profilers.onnx_graph import load_graph
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.layers import (
    ACTIVATIONS,
    activation,
    avg_pool,
    channel_shuffle,
    conv,
    conv_norm,
    conv_transpose,
    flatten,
    global_pool,
    linear,
    make_divisible,
    max_pool,
    reshape,
    squeeze_excite,
)

Write = Callable[[GraphBuilder, Tensor], Tensor]


def operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


@pytest.mark.parametrize("name", ["hardswish", "hardsigmoid", "mish", "gelu", "gelu_tanh"])
def test_parts_of_an_activation_compute_the_same_as_its_operator(name, written, outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return activation(net, x, name)

    whole, parts = (outputs(write, (2, 3, 4), opset=20, parts=parts) for parts in (False, True))
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-5)
    short, long = written(write, (2, 3), opset=20), written(write, (2, 3), opset=11, parts=True)
    assert len(operators(short)) == 1
    assert len(operators(long)) > 2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_shapes(name, outputs):
    assert outputs(lambda net, x: activation(net, x, name), (1, 4, 3, 3)).shape == (1, 4, 3, 3)


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_shape_chains_compute_the_same_shapes(opset, written, outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return reshape(net, x, (x.shape[0], 3, 8))

    chained = written(write, (2, 24), opset=opset, shape_chains=True)
    assert operators(chained) == ["Shape", "Gather", "Unsqueeze", "Concat", "Reshape"]
    fixed, computed = (outputs(write, (2, 24), opset=opset, shape_chains=chain) for chain in (False, True))
    np.testing.assert_array_equal(fixed, computed)


@pytest.mark.parametrize("opset", [13, 18])
def test_styles_of_a_head_compute_the_same_shapes(opset, written):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return linear(net, flatten(net, global_pool(net, x)), 5)

    short = operators(written(write, (2, 8, 4, 4), opset=opset))
    long = operators(written(write, (2, 8, 4, 4), opset=opset, mean_pool=True, matmul_linear=True, constant_nodes=True))
    assert short == ["GlobalAveragePool", "Flatten", "Gemm"]
    assert [name for name in long if name != "Constant"] == ["ReduceMean", "Flatten", "MatMul", "Add"]


def test_folded_normalisation_leaves_a_bias(written):
    folded = written(lambda net, x: conv_norm(net, x, 8), (1, 3, 8, 8), fold_batch_norm=True)
    assert operators(folded) == ["Conv"]
    assert len(onnx.load_from_string(folded).graph.node[0].input) == 3


def test_channel_shuffle_interleaves_groups(outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return channel_shuffle(net, x, 2)

    plain = outputs(lambda net, x: net.op("Identity", [x]), (1, 6, 1, 1)).ravel()
    np.testing.assert_array_equal(outputs(write, (1, 6, 1, 1)).ravel(), plain.reshape(2, 3).T.ravel())


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (5, 3), (8, 4), (3, 1)])
def test_transposed_convolutions_multiply_sizes(kernel, stride, outputs):
    result = outputs(lambda net, x: conv_transpose(net, x, 4, kernel, stride), (1, 3, 5, 6))
    assert result.shape == (1, 4, 5 * stride, 6 * stride)


def test_windows_that_do_not_fit_are_refused():
    net = GraphBuilder("test")
    x = net.input("x", (1, 6, 4, 4))
    with pytest.raises(ValueError, match="does not fit into a feature map"):
        max_pool(net, x, 7)
    with pytest.raises(ValueError, match="4 groups do not divide 6 and 8 channels"):
        conv(net, x, 8, groups=4)
    with pytest.raises(ValueError, match="kernel of at least its stride"):
        conv_transpose(net, x, 8, 2, 3)


def test_work_is_counted_as_the_graph_counts_it():
    net = GraphBuilder("test")
    x = net.input("x", (2, 16, 9, 9))
    y = squeeze_excite(net, conv(net, avg_pool(net, x, 3, 2, 1), 32, (1, 3), groups=4, dilation=2), 8)
    net.output(conv_transpose(net, y, 8, 4, 2))
    graph = load_graph(net.to_bytes())
    assert net.macs == graph.macs
    assert net.activation_bytes == graph.activation_bytes
    assert net.parameter_bytes == graph.parameter_bytes


def test_equal_constants_are_written_once_and_attributes_keep_their_type():
    net = GraphBuilder("test")
    x = net.input("x", (1, 2, 4, 4))
    for number in (1, 1.0):
        x = net.op("Elu", [x], alpha=float(number))
        x = net.op("Transpose", [net.op("Clip", [x, net.scalar(0.0), net.scalar(6.0)])], perm=(0, 1, 2, 3))
    net.output(net.op("Softmax", [x], axis=1))
    model = onnx.load_from_string(net.to_bytes())
    assert len(model.graph.initializer) == 2
    assert model.graph.node[0].attribute[0].type == onnx.AttributeProto.FLOAT
    assert model.graph.node[-1].attribute[0].type == onnx.AttributeProto.INT


def test_channels_are_rounded_as_in_the_reference_code():
    assert [make_divisible(value) for value in (1, 8, 11, 12, 18, 19.2, 100)] == [8, 8, 16, 16, 24, 24, 104]
