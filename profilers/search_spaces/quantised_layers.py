"""Layers of quantised networks, as quantisers write them: QDQ, QOperator and dynamic (weights int8 per channel).

Scales and zero points are constants that keep every value in range; latency does not depend on them.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from latcast.schema.counting import counted
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.layers import window_attributes

__all__ = [
    "dequantise",
    "dynamic_conv",
    "dynamic_linear",
    "dynamic_lstm",
    "nbits_linear",
    "qdq",
    "qdq_conv",
    "qdq_linear",
    "qdq_weight",
    "quantise",
]

SCALE = 0.02
WEIGHT_SCALE = 0.002
ZERO = {"uint8": 128, "int8": 0}
LOWEST = {"uint8": 0, "int8": -128}
GATES = 4


def _point(net: GraphBuilder, dtype: str, *, positive: bool) -> tuple[Tensor, Tensor]:
    zero = (LOWEST if positive else ZERO)[dtype]
    return net.scalar(SCALE), net.constant(zero, dtype)


def quantise(net: GraphBuilder, x: Tensor, dtype: str = "uint8", *, positive: bool = False) -> Tensor:
    """QuantizeLinear with one scale; `positive` puts zero at the type's lowest value, as behind a ReLU."""
    return net.op("QuantizeLinear", [x, *_point(net, dtype, positive=positive)], dtype=dtype)


def dequantise(net: GraphBuilder, x: Tensor, *, positive: bool = False) -> Tensor:
    """DequantizeLinear with one scale."""
    return net.op("DequantizeLinear", [x, *_point(net, x.dtype, positive=positive)])


def qdq(net: GraphBuilder, x: Tensor, dtype: str = "uint8", *, positive: bool = False) -> Tensor:
    """A float tensor through 8 bits and back."""
    return dequantise(net, quantise(net, x, dtype, positive=positive), positive=positive)


def qdq_weight(net: GraphBuilder, shape: Sequence[int], axis: int, *, per_channel: bool = True) -> Tensor:
    """An int8 weight and its DequantizeLinear, one scale for each slice along the axis or one for all."""
    weight = net.weight(*shape, dtype="int8")
    if not per_channel:
        return net.op("DequantizeLinear", [weight, net.scalar(WEIGHT_SCALE), net.constant(0, "int8")])
    scales = net.constant(np.full(shape[axis], WEIGHT_SCALE), "float32")
    zeros = net.constant(np.zeros(shape[axis]), "int8")
    return net.op("DequantizeLinear", [weight, scales, zeros], axis=axis)


def _bias(net: GraphBuilder, size: int, *, per_channel: bool) -> Tensor:
    values = net.constant(np.arange(size) % 97, "int32")
    if not per_channel:
        return net.op("DequantizeLinear", [values, net.scalar(SCALE * WEIGHT_SCALE), net.constant(0, "int32")])
    scales = net.constant(np.full(size, SCALE * WEIGHT_SCALE), "float32")
    return net.op("DequantizeLinear", [values, scales, net.constant(np.zeros(size), "int32")], axis=0)


def qdq_conv(
    net: GraphBuilder,
    x: Tensor,
    channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    per_channel: bool = True,
) -> Tensor:
    """Convolution between DequantizeLinear nodes; quantise its result for a runtime to run it in 8 bits."""
    if x.channels % groups or channels % groups:
        raise ValueError(f"{counted(groups, 'group')} do not divide {x.channels} and {counted(channels, 'channel')}")
    window = window_attributes(x, kernel, stride)
    spatial, kernels = window.pop("spatial"), window["kernel_shape"]
    weight = qdq_weight(net, (channels, x.channels // groups, *kernels), 0, per_channel=per_channel)
    shape = (x.shape[0], channels, *spatial)
    macs = prod(shape) * x.channels // groups * prod(kernels)
    inputs = [x, weight, _bias(net, channels, per_channel=per_channel)]
    return net.op("Conv", inputs, shape, macs=macs, group=groups, **window)


def qdq_linear(
    net: GraphBuilder, x: Tensor, features: int, *, gemm: bool = True, bias: bool = True, per_channel: bool = True
) -> Tensor:
    """Affine map of the last axis between DequantizeLinear nodes, as Gemm or as MatMul (and a float Add)."""
    inner, shape = x.shape[-1], (*x.shape[:-1], features)
    macs = x.elements * features
    if gemm and len(x.shape) == 2:
        inputs = [x, qdq_weight(net, (features, inner), 0, per_channel=per_channel)]
        inputs += [_bias(net, features, per_channel=per_channel)] if bias else []
        return net.op("Gemm", inputs, shape, macs=macs, transB=1)
    weight = qdq_weight(net, (inner, features), 1, per_channel=per_channel)
    y = net.op("MatMul", [x, weight], shape, macs=macs)
    return net.op("Add", [qdq(net, y), net.weight(features)]) if bias else y


def _dynamic(net: GraphBuilder, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    q, scale, zero = net.ops("DynamicQuantizeLinear", [x], [x.shape, (), ()], dtype=("uint8", "float32", "uint8"))
    return q, scale, zero


def dynamic_linear(
    net: GraphBuilder, x: Tensor, features: int, *, bias: bool = True, per_channel: bool = False
) -> Tensor:
    """Affine map whose input is quantised as it runs: DynamicQuantizeLinear, MatMulInteger, Cast, Mul (and Add)."""
    q, scale, zero = _dynamic(net, x)
    shape = (*x.shape[:-1], features)
    size = (features,) if per_channel else ()
    weight_zero = net.constant(np.zeros(size), "int8")
    inputs = [q, net.weight(x.shape[-1], features, dtype="int8"), zero, weight_zero]
    y = net.op("MatMulInteger", inputs, shape, dtype="int32", macs=x.elements * features)
    weight_scale = WEIGHT_SCALE * (1 + net.parameter_bytes % 997 / 1e4)  # no two layers have the same scale
    scales = net.op("Mul", [scale, net.constant(np.full(size, weight_scale), "float32")], size)
    y = net.op("Mul", [net.op("Cast", [y], to=1), scales])
    return net.op("Add", [y, net.weight(features)]) if bias else y


def dynamic_conv(net: GraphBuilder, x: Tensor, channels: int, kernel: int, *, stride: int = 1) -> Tensor:
    """Convolution whose input is quantised as it runs: DynamicQuantizeLinear, ConvInteger, Cast, Mul."""
    window = window_attributes(x, kernel, stride)
    spatial, kernels = window.pop("spatial"), window["kernel_shape"]
    q, scale, zero = _dynamic(net, x)
    shape = (x.shape[0], channels, *spatial)
    inputs = [q, net.weight(channels, x.channels, *kernels, dtype="uint8"), zero, net.constant(128, "uint8")]
    macs = prod(shape) * x.channels * prod(kernels)
    y = net.op("ConvInteger", inputs, shape, dtype="int32", macs=macs, **window)
    scales = net.op("Mul", [scale, net.scalar(WEIGHT_SCALE)], ())
    return net.op("Mul", [net.op("Cast", [y], to=1), scales])


def dynamic_lstm(net: GraphBuilder, x: Tensor, hidden: int, *, bidirectional: bool = False) -> Tensor:
    """An LSTM over (length, batch, features) with int8 weights: (length, directions, batch, hidden)."""
    length, batch, features = x.shape
    directions = 2 if bidirectional else 1
    scale = net.constant(np.full(directions, WEIGHT_SCALE), "float32")
    zero = net.constant(np.zeros(directions), "int8")
    weights = [net.weight(directions, size, GATES * hidden, dtype="int8") for size in (features, hidden)]
    bias = net.weight(directions, 2 * GATES * hidden)
    return net.op(
        "DynamicQuantizeLSTM",
        [x, *weights, bias, None, None, None, None, scale, zero, scale, zero],
        (length, directions, batch, hidden),
        macs=length * batch * directions * GATES * hidden * (features + hidden),
        domain="com.microsoft",
        hidden_size=hidden,
        direction="bidirectional" if bidirectional else "forward",
    )


def nbits_linear(
    net: GraphBuilder, x: Tensor, features: int, *, bits: int = 4, block: int = 32, level: int = 0
) -> Tensor:
    """Affine map with weights of a few bits, a scale for each block of inputs (MatMulNBits).

    A `level` of 4 lets the runtime round activations to 8 bits (`accuracy_level`); 0 leaves the choice to it.
    """
    inner = x.shape[-1]
    blocks = -(-inner // block)
    packed = net.weight(features, blocks, block * bits // 8, dtype="uint8")
    rounded: dict[str, Any] = {"accuracy_level": level} if level else {}
    return net.op(
        "MatMulNBits",
        [x, packed, net.weight(features * blocks, role="scale")],
        (*x.shape[:-1], features),
        macs=x.elements * features,
        domain="com.microsoft",
        K=inner,
        N=features,
        bits=bits,
        block_size=block,
        **rounded,
    )
