"""Layers of quantised networks run, and count their work as the graph does."""

import numpy as np
import onnx
import pytest

from profilers.onnx_graph import load_graph
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.quantised_layers import (
    dynamic_conv,
    dynamic_linear,
    dynamic_lstm,
    qdq,
    qdq_conv,
    qdq_linear,
)


def operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("layer", [qdq_linear, dynamic_linear])
def test_linear_layers_run_in_eight_bits(written, outputs, layer, per_channel):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return layer(net, qdq(net, x), 5, per_channel=per_channel)

    assert outputs(write, (3, 8)).shape == (3, 5)
    assert {"DequantizeLinear", "MatMulInteger"} & set(operators(written(write, (3, 8))))


@pytest.mark.parametrize("layer", [qdq_conv, dynamic_conv])
def test_convolutions_run_in_eight_bits(outputs, layer):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return layer(net, qdq(net, x), 6, 3)

    assert outputs(write, (1, 4, 8, 8)).shape == (1, 6, 8, 8)


def test_a_tensor_comes_back_from_eight_bits_nearly_as_it_was(outputs):
    plain = outputs(lambda net, x: net.op("Identity", [x]), (4, 16))
    through = outputs(qdq, (4, 16))
    assert np.abs(np.clip(plain, -2.5, 2.5) - through).max() < 0.1


def test_a_recurrent_layer_has_quantised_weights(written):
    model = written(lambda net, x: dynamic_lstm(net, x, 5), (4, 1, 3))
    assert "DynamicQuantizeLSTM" in operators(model)


def test_groups_have_to_divide_channels():
    net = GraphBuilder("test")
    with pytest.raises(ValueError, match="4 groups do not divide 6 and 8 channels"):
        qdq_conv(net, net.input("x", (1, 6, 4, 4)), 8, groups=4)


def test_work_is_counted_as_the_graph_counts_it():
    net = GraphBuilder("test")
    y = qdq_conv(net, qdq(net, net.input("x", (1, 8, 9, 9))), 16, 3, stride=2, groups=2)
    net.output(y)
    assert net.macs == load_graph(net.to_bytes()).macs
