"""The networks that are timed: one kind of kernel each, at sizes that real networks have."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from profilers.search_spaces.builder import GraphBuilder, Tensor

__all__ = ["CHAIN", "PROBES", "THREADED", "Probe", "probe_model"]

Build = Callable[[GraphBuilder], Tensor]

CHAIN = 48
"""Tiny kernels in the longer of the two chains beyond those in the shorter one."""
ELEMENTWISE_NODES = {2**14: 16, 2**18: 16, 2**21: 8, 2**26: 1}
"""Bytes of a tensor → nodes in its chain; with two operands and a result they fill L1, L2, L3 and go beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A network of one kind of kernel.

    Args:
        name: name of its entry, without `_ms`.
        about: what runs, for people.
        build: adds it to an empty graph and returns its output.
        nodes: number of nodes that its time is divided by.
        macs: multiply-accumulates of one node; 0 where there are none to speak of.
        moved_bytes: bytes that one node reads and writes at least, where memory is what it takes.
    """

    name: str
    about: str
    build: Build
    nodes: int = 1
    macs: int = 0
    moved_bytes: int = 0


def probe_model(probe: Probe) -> bytes:
    """The probe as ONNX, its weights placeholders; opset 17."""
    graph = GraphBuilder(probe.name)
    graph.output(probe.build(graph))
    return graph.to_bytes()


# --- Builders ---------------------------------------------------------------------------------------------------


def _chain(graph: GraphBuilder, *, length: int) -> Tensor:
    """Products so small that only their number counts; no runtime merges products with different weights."""
    value = graph.input("x", (1, 8))
    for _ in range(length):
        value = graph.op("MatMul", [value, graph.weight(8, 8)])
    return value


def _product(graph: GraphBuilder, *, rows: int, inner: int, columns: int) -> Tensor:
    x = graph.input("x", (rows, inner))
    return graph.op("MatMul", [x, graph.weight(inner, columns)], (rows, columns))


def _attention(graph: GraphBuilder) -> Tensor:
    queries, keys = graph.input("queries", (1, 12, 128, 64)), graph.input("keys", (1, 12, 64, 128))
    return graph.op("MatMul", [queries, keys], (1, 12, 128, 128))


def _convolution(
    graph: GraphBuilder, *, channels: tuple[int, int], size: int, kernel: int, stride: int = 1, groups: int = 1
) -> Tensor:
    inner, outer = channels
    x = graph.input("x", (1, inner, size, size))
    weights = [graph.weight(outer, inner // groups, kernel, kernel), graph.weight(outer)]
    shape = (1, outer, size // stride, size // stride)
    return graph.op("Conv", [x, *weights], shape, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                    pads=[kernel // 2] * 4, group=groups)  # fmt: skip


def _elementwise(graph: GraphBuilder, *, tensor_bytes: int) -> Tensor:
    """Sums and differences of the same two tensors in turn, so that values neither grow nor vanish."""
    shape = (tensor_bytes // 4096, 1024)
    value, other = graph.input("x", shape), graph.input("y", shape)
    for index in range(ELEMENTWISE_NODES[tensor_bytes]):
        value = graph.op("Sub" if index % 2 else "Add", [value, other])
    # A small output: copying a big one out of the runtime would count too.
    return graph.op("ReduceMax", [value], (shape[0], 1), axes=[1], keepdims=1)


def _sigmoid(graph: GraphBuilder) -> Tensor:
    return graph.op("Sigmoid", [graph.input("x", (64, 1024))])


def _softmax(graph: GraphBuilder) -> Tensor:
    return graph.op("Softmax", [graph.input("x", (1, 12, 128, 128))], axis=-1)


def _layer_norm(graph: GraphBuilder) -> Tensor:
    x = graph.input("x", (1, 128, 768))
    return graph.op("LayerNormalization", [x, graph.weight(768), graph.weight(768)], axis=-1)


def _pooling(graph: GraphBuilder) -> Tensor:
    x = graph.input("x", (1, 64, 56, 56))
    return graph.op("MaxPool", [x], (1, 64, 28, 28), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])


def _mean(graph: GraphBuilder) -> Tensor:
    return graph.op("GlobalAveragePool", [graph.input("x", (1, 64, 56, 56))], (1, 64, 1, 1))


def _transpose(graph: GraphBuilder) -> Tensor:
    x = graph.input("x", (1, 64, 56, 56))
    return graph.op("Transpose", [x], (1, 56, 56, 64), perm=[0, 2, 3, 1])


def _lstm(graph: GraphBuilder) -> Tensor:
    x = graph.input("x", (32, 1, 128))
    weights = [graph.weight(1, 512, 128), graph.weight(1, 512, 128), graph.weight(1, 1024)]
    return graph.op("LSTM", [x, *weights], (32, 1, 1, 128), hidden_size=128)


# --- The probes -------------------------------------------------------------------------------------------------


def _gemm(rows: int, size: int) -> Probe:
    about = f"product {rows}×{size} · {size}×{size}"
    build = partial(_product, rows=rows, inner=size, columns=size)
    macs = rows * size * size
    if rows == 1:
        return Probe(name=f"gemv_{size}", about=about, build=build, macs=macs, moved_bytes=4 * size * size)
    return Probe(name=f"gemm_{size}", about=about, build=build, macs=macs)


def _conv(kernel: int, channels: int, size: int) -> Probe:
    return Probe(
        name=f"conv{kernel}x{kernel}_{channels}x{size}",
        about=f"{kernel}×{kernel} convolution, {channels} × {size}²",
        build=partial(_convolution, channels=(channels, channels), size=size, kernel=kernel),
        macs=(channels * kernel * size) ** 2,
    )


def _depthwise(channels: int, size: int) -> Probe:
    return Probe(
        name=f"depthwise3x3_{channels}x{size}",
        about=f"3×3 depthwise convolution, {channels} × {size}²",
        build=partial(_convolution, channels=(channels, channels), size=size, kernel=3, groups=channels),
        macs=channels * (3 * size) ** 2,
    )


def _sum(label: str, tensor_bytes: int) -> Probe:
    return Probe(
        name=f"elementwise_{label}",
        about=f"sum of two tensors of {label[:-1]} {label[-1].upper()}iB",
        build=partial(_elementwise, tensor_bytes=tensor_bytes),
        nodes=ELEMENTWISE_NODES[tensor_bytes],
        moved_bytes=3 * tensor_bytes + tensor_bytes // ELEMENTWISE_NODES[tensor_bytes],
    )


PROBES: tuple[Probe, ...] = (
    Probe(name="chain_short", about="a call with one tiny kernel", build=partial(_chain, length=1)),
    Probe(name="chain_long", about=f"{CHAIN + 1} tiny products", build=partial(_chain, length=CHAIN + 1)),
    _gemm(1, 1024),
    _gemm(64, 64),
    _gemm(256, 256),
    _gemm(512, 512),
    Probe(name="attention_12x128", about="attention scores, 12 × 128×64 · 64×128", build=_attention,
          macs=12 * 128 * 128 * 64),
    Probe(
        name="conv7x7_3x224",
        about="7×7 convolution, stride 2, 3 × 224²",
        build=partial(_convolution, channels=(3, 32), size=224, kernel=7, stride=2),
        macs=3 * 32 * 49 * 112 * 112,
    ),
    _conv(3, 16, 112),
    _conv(3, 64, 28),
    _conv(3, 256, 14),
    _conv(1, 32, 112),
    _conv(1, 128, 28),
    _conv(1, 512, 7),
    _depthwise(32, 112),
    _depthwise(128, 28),
    _depthwise(512, 7),
    *(_sum(label, size) for label, size in zip(("16k", "256k", "2m", "64m"), ELEMENTWISE_NODES, strict=True)),
    Probe(name="sigmoid_256k", about="sigmoid of 256 KiB", build=_sigmoid, moved_bytes=2 * 2**18),
    Probe(name="softmax_12x128", about="softmax, 12 × 128 × 128", build=_softmax,
          moved_bytes=8 * 12 * 128 * 128),
    Probe(name="layernorm_128x768", about="layer normalisation, 128 × 768", build=_layer_norm,
          moved_bytes=8 * 128 * 768),
    Probe(name="maxpool3x3_64x56", about="3×3 max pooling, stride 2, 64 × 56²", build=_pooling,
          moved_bytes=5 * 64 * 56 * 56),
    Probe(name="mean_64x56", about="global average pooling, 64 × 56²", build=_mean,
          moved_bytes=4 * 64 * 56 * 56),
    Probe(name="transpose_64x56", about="transposition to NHWC, 64 × 56²", build=_transpose,
          moved_bytes=8 * 64 * 56 * 56),
    Probe(name="lstm_32x128", about="LSTM, 32 steps, 128 units", build=_lstm, macs=32 * 8 * 128 * 128),
)  # fmt: skip
"""In the order in which they run; the cheap and informative ones first."""

THREADED: dict[str, str] = {"gemm_512": "products", "conv3x3_256x14": "convolutions", "softmax_12x128": "softmax"}
"""Probes, and what they stand for, that also run with one thread on a target with more."""
