"""Layers of convolutional networks, written as the builder's style says. Images are (batch, channels, spatial …)."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from latcast.schema.counting import counted
from profilers.search_spaces.builder import GraphBuilder, Tensor

__all__ = [
    "ACTIVATIONS",
    "activation",
    "add",
    "avg_pool",
    "batch_norm",
    "channel_shuffle",
    "concat",
    "conv",
    "conv_norm",
    "conv_transpose",
    "flatten",
    "global_pool",
    "linear",
    "make_divisible",
    "max_pool",
    "mean",
    "reshape",
    "resize",
    "squeeze_excite",
    "transpose",
    "unsqueeze",
    "window_attributes",
]

Kernel = int | tuple[int, ...]


def make_divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor` that is not more than 10 % below `value` (MobileNetV2's reference code)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _spread(value: Kernel, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else value


def _window(x: Tensor, kernel: Kernel, stride: Kernel, padding: Kernel | None, dilation: int) -> dict[str, Any]:
    """Attributes of a sliding window and the spatial shape it yields; padding defaults to "same" for odd kernels."""
    rank = len(x.shape) - 2
    kernels, strides = _spread(kernel, rank), _spread(stride, rank)
    pads = tuple(dilation * (k - 1) // 2 for k in kernels) if padding is None else _spread(padding, rank)
    spatial = tuple(
        (size + 2 * pad - dilation * (k - 1) - 1) // step + 1
        for size, pad, k, step in zip(x.shape[2:], pads, kernels, strides, strict=True)
    )
    if min(spatial) < 1:
        raise ValueError(f"a window of {kernels} does not fit into a feature map of {x.shape[2:]}")
    return {"spatial": spatial, "kernel_shape": kernels, "strides": strides, "pads": pads + pads}


def window_attributes(x: Tensor, kernel: Kernel, stride: Kernel) -> dict[str, Any]:
    """Attributes of a window with "same" padding, and under `spatial` the sizes that it yields."""
    return _window(x, kernel, stride, None, 1)


def conv(
    net: GraphBuilder,
    x: Tensor,
    channels: int,
    kernel: Kernel = 3,
    *,
    stride: Kernel = 1,
    groups: int = 1,
    dilation: int = 1,
    padding: Kernel | None = None,
    bias: bool = True,
) -> Tensor:
    """Convolution over all spatial axes of `x`."""
    if x.channels % groups or channels % groups:
        raise ValueError(f"{counted(groups, 'group')} do not divide {x.channels} and {counted(channels, 'channel')}")
    window = _window(x, kernel, stride, padding, dilation)
    spatial, kernels = window.pop("spatial"), window["kernel_shape"]
    if dilation > 1:
        window["dilations"] = (dilation,) * len(spatial)
    inputs = [x, net.weight(channels, x.channels // groups, *kernels)]
    if bias:
        inputs.append(net.weight(channels))
    shape = (x.shape[0], channels, *spatial)
    macs = prod(shape) * x.channels // groups * prod(kernels)
    return net.op("Conv", inputs, shape, macs=macs, group=groups, **window)


def conv_transpose(net: GraphBuilder, x: Tensor, channels: int, kernel: int = 2, stride: int = 2) -> Tensor:
    """Transposed convolution that multiplies each spatial axis by `stride`."""
    total = kernel - stride
    if total < 0:
        raise ValueError(f"a transposed convolution needs a kernel of at least its stride {stride}, not {kernel}")
    begin = total // 2
    rank = len(x.shape) - 2
    shape = (x.shape[0], channels, *(size * stride for size in x.shape[2:]))
    return net.op(
        "ConvTranspose",
        [x, net.weight(x.channels, channels, *(kernel,) * rank), net.weight(channels)],
        shape,
        macs=x.elements * channels * kernel**rank,
        kernel_shape=(kernel,) * rank,
        strides=(stride,) * rank,
        pads=(begin,) * rank + (total - begin,) * rank,
    )


def batch_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    """Batch normalisation as a node of its own."""
    scale, variance = net.weight(x.channels, role="scale"), net.weight(x.channels, role="positive")
    return net.op("BatchNormalization", [x, scale, net.weight(x.channels), net.weight(x.channels), variance])


def conv_norm(
    net: GraphBuilder, x: Tensor, channels: int, kernel: Kernel = 3, act: str = "none", **kwargs: Any
) -> Tensor:
    """Convolution, batch normalisation (folded if the style says so) and activation."""
    folded = net.style.fold_batch_norm
    y = conv(net, x, channels, kernel, bias=folded, **kwargs)
    return activation(net, y if folded else batch_norm(net, y), act)


def _hard_sigmoid(net: GraphBuilder, x: Tensor) -> Tensor:
    if not net.style.parts:
        return net.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
    clipped = net.op("Clip", [net.op("Add", [x, net.scalar(3.0)]), net.scalar(0.0), net.scalar(6.0)])
    return net.op("Div", [clipped, net.scalar(6.0)])


def _hard_swish(net: GraphBuilder, x: Tensor) -> Tensor:
    if net.style.opset >= 14 and not net.style.parts:
        return net.op("HardSwish", [x])
    return net.op("Mul", [x, _hard_sigmoid(net, x)])


def _mish(net: GraphBuilder, x: Tensor) -> Tensor:
    if net.style.opset >= 18 and not net.style.parts:
        return net.op("Mish", [x])
    return net.op("Mul", [x, net.op("Tanh", [net.op("Softplus", [x])])])


def _gelu(net: GraphBuilder, x: Tensor) -> Tensor:
    if net.style.opset >= 20 and not net.style.parts:
        return net.op("Gelu", [x])
    erf = net.op("Erf", [net.op("Div", [x, net.scalar(2**0.5)])])
    return net.op("Mul", [net.op("Mul", [x, net.op("Add", [erf, net.scalar(1.0)])]), net.scalar(0.5)])


def _gelu_tanh(net: GraphBuilder, x: Tensor) -> Tensor:
    if net.style.opset >= 20 and not net.style.parts:
        return net.op("Gelu", [x], approximate="tanh")
    cube = net.op("Mul", [net.op("Pow", [x, net.scalar(3.0)]), net.scalar(0.044715)])
    inner = net.op("Tanh", [net.op("Mul", [net.op("Add", [x, cube]), net.scalar((2 / 3.141592653589793) ** 0.5)])])
    return net.op("Mul", [net.op("Mul", [x, net.op("Add", [inner, net.scalar(1.0)])]), net.scalar(0.5)])


def _prelu(net: GraphBuilder, x: Tensor) -> Tensor:
    return net.op("PRelu", [x, net.weight(x.channels, *(1,) * (len(x.shape) - 2))])


ACTIVATIONS: dict[str, Callable[[GraphBuilder, Tensor], Tensor]] = {
    "none": lambda _, x: x,
    "relu": lambda net, x: net.op("Relu", [x]),
    "relu6": lambda net, x: net.op("Clip", [x, net.scalar(0.0), net.scalar(6.0)]),
    "leakyrelu": lambda net, x: net.op("LeakyRelu", [x], alpha=0.1),
    "elu": lambda net, x: net.op("Elu", [x], alpha=1.0),
    "prelu": _prelu,
    "sigmoid": lambda net, x: net.op("Sigmoid", [x]),
    "tanh": lambda net, x: net.op("Tanh", [x]),
    "silu": lambda net, x: net.op("Mul", [x, net.op("Sigmoid", [x])]),
    "softplus": lambda net, x: net.op("Softplus", [x]),
    "hardsigmoid": _hard_sigmoid,
    "hardswish": _hard_swish,
    "mish": _mish,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
"""Activation functions by the name that texts use."""


def activation(net: GraphBuilder, x: Tensor, name: str) -> Tensor:
    """The activation function of that name."""
    return ACTIVATIONS[name](net, x)


def add(net: GraphBuilder, x: Tensor, y: Tensor) -> Tensor:
    """Sum of two tensors of one shape."""
    return net.op("Add", [x, y])


def concat(net: GraphBuilder, tensors: Sequence[Tensor], axis: int = 1) -> Tensor:
    """Concatenation; a single tensor is itself."""
    if len(tensors) == 1:
        return tensors[0]
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    return net.op("Concat", tensors, shape, dtype=tensors[0].dtype, axis=axis)


def transpose(net: GraphBuilder, x: Tensor, order: Sequence[int]) -> Tensor:
    """Axes in another order."""
    return net.op("Transpose", [x], [x.shape[axis] for axis in order], dtype=x.dtype, perm=tuple(order))


def max_pool(net: GraphBuilder, x: Tensor, kernel: Kernel = 2, stride: Kernel = 2, padding: Kernel = 0) -> Tensor:
    """Maximum over a window."""
    return _pool(net, "MaxPool", x, _window(x, kernel, stride, padding, 1))


def avg_pool(
    net: GraphBuilder, x: Tensor, kernel: Kernel = 2, stride: Kernel = 2, padding: Kernel = 0, *, count_pad: bool = True
) -> Tensor:
    """Mean over a window; `count_pad` counts the padding as zeros."""
    window = _window(x, kernel, stride, padding, 1)
    return _pool(net, "AveragePool", x, window | {"count_include_pad": int(count_pad)})


def _pool(net: GraphBuilder, operator: str, x: Tensor, attributes: dict[str, Any]) -> Tensor:
    spatial = attributes.pop("spatial")
    return net.op(operator, [x], (*x.shape[:2], *spatial), **attributes)


def mean(net: GraphBuilder, x: Tensor, axes: Sequence[int], *, keepdims: bool = False) -> Tensor:
    """Mean over axes (an attribute before opset 18, an input since)."""
    kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    shape = kept if keepdims else [size for axis, size in enumerate(x.shape) if axis not in axes]
    if net.style.opset < 18:
        return net.op("ReduceMean", [x], shape, axes=tuple(axes), keepdims=int(keepdims))
    return net.op("ReduceMean", [x, net.constant(list(axes))], shape, keepdims=int(keepdims))


def global_pool(net: GraphBuilder, x: Tensor) -> Tensor:
    """Mean over all spatial axes, which stay with size 1."""
    axes = tuple(range(2, len(x.shape)))
    if net.style.mean_pool:
        return mean(net, x, axes, keepdims=True)
    return net.op("GlobalAveragePool", [x], (*x.shape[:2], *(1 for _ in axes)))


def reshape(net: GraphBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Another shape of as many elements; the batch comes from a Shape node where the style has shape chains."""
    if not net.style.shape_chains or shape[0] != x.shape[0]:
        return net.op("Reshape", [x, net.constant(list(shape))], shape, dtype=x.dtype)
    sizes = net.op("Shape", [x], (len(x.shape),), dtype="int64")
    batch = unsqueeze(net, net.op("Gather", [sizes, net.constant(0)], (), dtype="int64", axis=0), 0)
    target = concat(net, [batch, net.constant(list(shape[1:]))], axis=0)
    return net.op("Reshape", [x, target], shape, dtype=x.dtype)


def unsqueeze(net: GraphBuilder, x: Tensor, axis: int) -> Tensor:
    """A new axis of size 1 (an attribute before opset 13, an input since)."""
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    if net.style.opset < 13:
        return net.op("Unsqueeze", [x], shape, dtype=x.dtype, axes=(axis,))
    return net.op("Unsqueeze", [x, net.constant([axis])], shape, dtype=x.dtype)


def flatten(net: GraphBuilder, x: Tensor) -> Tensor:
    """(batch, everything else)."""
    shape = (x.shape[0], x.elements // x.shape[0])
    return reshape(net, x, shape) if net.style.shape_chains else net.op("Flatten", [x], shape, axis=1)


def linear(net: GraphBuilder, x: Tensor, features: int, *, bias: bool = True) -> Tensor:
    """Affine map of the last axis."""
    inner = x.shape[-1]
    shape = (*x.shape[:-1], features)
    macs = x.elements * features
    if len(x.shape) == 2 and not net.style.matmul_linear:
        inputs = [x, net.weight(features, inner)] + ([net.weight(features)] if bias else [])
        return net.op("Gemm", inputs, shape, macs=macs, transB=1)
    y = net.op("MatMul", [x, net.weight(inner, features)], shape, macs=macs)
    return net.op("Add", [net.weight(features), y], shape) if bias else y


def channel_shuffle(net: GraphBuilder, x: Tensor, groups: int) -> Tensor:
    """Channels of all groups interleaved (Zhang et al., ShuffleNet, 2018)."""
    batch, channels, height, width = x.shape
    y = reshape(net, x, (batch, groups, channels // groups, height, width))
    return reshape(net, transpose(net, y, (0, 2, 1, 3, 4)), x.shape)


def resize(net: GraphBuilder, x: Tensor, scale: int, mode: str = "nearest") -> Tensor:
    """Spatial axes times `scale`; `mode` is nearest or linear."""
    shape = (*x.shape[:2], *(size * scale for size in x.shape[2:]))
    scales = net.constant([1.0, 1.0] + [float(scale)] * (len(shape) - 2), "float32")
    region = net.constant([], "float32") if net.style.opset < 13 else None  # optional only since opset 13
    more: dict[str, Any] = {"nearest_mode": "floor"} if mode == "nearest" else {}
    rule = "asymmetric" if mode == "nearest" else "half_pixel"
    return net.op("Resize", [x, region, scales], shape, mode=mode, coordinate_transformation_mode=rule, **more)


def squeeze_excite(net: GraphBuilder, x: Tensor, hidden: int, act: str = "relu", gate: str = "sigmoid") -> Tensor:
    """Channels weighted by a gate computed from their means (Hu et al., Squeeze-and-Excitation Networks, CVPR 2018)."""
    y = activation(net, conv(net, global_pool(net, x), hidden, 1), act)
    return net.op("Mul", [x, activation(net, conv(net, y, x.channels, 1), gate)])
