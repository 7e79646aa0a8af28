"""Layers over sequences compute what their names say."""

from collections.abc import Callable

import numpy as np
import pytest

from profilers.onnx_graph import load_graph
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.sequences import (
    attention,
    causal_mask,
    gated_feed_forward,
    layer_norm,
    padding_mask,
    recurrent,
    rms_norm,
    slice_axis,
    split,
    squeeze,
)
from profilers.testing.search_spaces import run_once

Write = Callable[[GraphBuilder, Tensor], Tensor]


def test_parts_of_layer_normalisation_compute_the_same_as_its_operator(outputs):
    whole, parts = (outputs(layer_norm, (2, 5, 32), opset=17, parts=parts) for parts in (False, True))
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-5)


def test_root_mean_square_normalisation_scales_rows_to_about_one(outputs):
    result = outputs(rms_norm, (4, 512))
    assert np.sqrt((result**2).mean(1)) == pytest.approx(np.ones(4), rel=0.3)


def test_no_token_sees_later_ones_under_a_causal_mask(outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        """The same sequence twice, the second time with another last token."""
        scale = net.constant(np.ones((2, 6, 1)) + 4 * (np.arange(12) == 11).reshape(2, 6, 1), "float32")
        return attention(net, net.op("Mul", [x, scale], (2, 6, 32)), 2, mask=causal_mask(net, 6))

    first, second = outputs(write, (1, 6, 32))
    np.testing.assert_allclose(first[:5], second[:5], rtol=1e-5)
    assert np.abs(first[5] - second[5]).max() > 1e-3


def test_a_padding_mask_is_zero_where_tokens_are():
    net = GraphBuilder("test")
    net.output(padding_mask(net, net.input("mask", (2, 5), dtype="int64")))
    model = net.to_bytes()
    (result,) = run_once(model, load_graph(model)).values()  # the suite feeds ones
    np.testing.assert_array_equal(result, np.zeros((2, 1, 1, 5), np.float32))


@pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_join_their_directions(operator, bidirectional, outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        return recurrent(net, x, operator, 5, bidirectional=bidirectional)

    assert outputs(write, (4, 2, 3)).shape == (4, 2, 10 if bidirectional else 5)


@pytest.mark.parametrize("opset", [11, 17])
def test_parts_of_a_tensor_are_those_of_any_opset(opset, outputs):
    def write(net: GraphBuilder, x: Tensor) -> Tensor:
        first, second = split(net, x, 2, axis=1)
        return squeeze(net, slice_axis(net, net.op("Concat", [second, first], x.shape, axis=1), 1, 2, axis=2), 2)

    plain = outputs(lambda net, x: net.op("Identity", [x]), (2, 4, 3), opset=opset)
    np.testing.assert_array_equal(outputs(write, (2, 4, 3), opset=opset), plain[:, [2, 3, 0, 1], 1])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_attention_counts_its_work_as_the_graph_does(fused, rotary):
    net = GraphBuilder("test")
    x = attention(net, net.input("x", (1, 6, 32)), 4, fused=fused, rotary=rotary)
    net.output(gated_feed_forward(net, x, 48, "silu"))
    graph = load_graph(net.to_bytes())
    assert net.macs == graph.macs
    assert graph.tensors[graph.outputs[0]].shape == (1, 6, 32)
