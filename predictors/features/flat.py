"""A graph as one flat vector: its work in total and by class of operator, and the shape of the network.

Sums are taken over integers and then turned into logarithms, so that neither node order nor names change a value. An
operator that no class lists belongs to `other`: its FLOPs and bytes still count.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from latcast.schema import DTYPE_BYTES, Graph, GraphHash, Node
from predictors.base import FloatArray
from predictors.networks import Feature, GraphFeatures, Network
from profilers.caching import Cache

__all__ = [
    "FEATURE_NAMES",
    "FEATURE_VERSION",
    "FLAT",
    "OPERATOR_CLASSES",
    "flat_features",
    "moved_bytes",
    "operator_class",
    "read_flat",
    "walk",
]

FEATURE_VERSION = "flat-1"
"""Version of the features, changed whenever the meaning or position of one of them changes."""

FLAT: Feature = ("flat",)
"""These features, as they are asked for in another process."""

OPERATOR_CLASSES: dict[str, tuple[str, ...]] = {
    "pointwise": (),
    "depthwise": (),
    "grouped": (),
    "convolution": ("Conv", "FusedConv", "ConvInteger", "QLinearConv", "NhwcFusedConv", "DeformConv"),
    "transposed": ("ConvTranspose", "Col2Im"),
    "dense": ("Gemm", "MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul", "QGemm", "Einsum", "MatMulNBits"),
    "attention": ("Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention", "RotaryEmbedding"),
    "recurrent": ("LSTM", "GRU", "RNN"),
    "pooling": ("MaxPool", "AveragePool", "LpPool", "MaxRoiPool", "RoiAlign", "MaxUnpool"),
    "reduction": (
        "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
        "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "ArgMax", "ArgMin",
        "CumSum", "CumProd", "TopK",
    ),
    "normalisation": (
        "BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization",
        "RMSNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization", "MeanVarianceNormalization",
        "LRN", "Softmax", "LogSoftmax", "Hardmax",
    ),
    "activation": (
        "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Gelu", "FastGelu",
        "QuickGelu", "BiasGelu", "Elu", "Selu", "Celu", "Softplus", "Softsign", "ThresholdedRelu", "Mish", "Erf",
        "Swish", "Exp", "Log", "Sqrt", "Sin", "Cos",
    ),
    "elementwise": (
        "Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Min", "Abs", "Neg", "Reciprocal", "Where", "Equal",
        "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Not", "Xor", "Mod", "Floor", "Ceil", "Round",
        "Sign", "Cast", "CastLike", "Identity", "Dropout", "IsNaN", "IsInf",
    ),
    "movement": (
        "Transpose", "Concat", "Split", "Slice", "Pad", "Tile", "Expand", "DepthToSpace", "SpaceToDepth",
        "ReverseSequence", "Trilu", "CenterCropPad",
    ),
    "shape": (
        "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Shape", "Size", "ConstantOfShape", "Range", "EyeLike",
        "Constant",
    ),
    "indexing": (
        "Gather", "GatherElements", "GatherND", "Scatter", "ScatterElements", "ScatterND", "OneHot", "NonZero",
        "Compress", "Unique", "NonMaxSuppression", "TensorScatter",
    ),
    "resizing": ("Resize", "Upsample", "GridSample", "AffineGrid"),
    "quantisation": ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
    "control": ("If", "Loop", "Scan"),
    "other": (),
}  # fmt: skip
"""Operators by class; the classes of convolution differ by group and kernel."""

CACHE_BYTES = 32 * 2**20
"""What the vectors that are kept may take."""
_CLASS_OF = {operator: name for name, operators in OPERATOR_CLASSES.items() for operator in operators}
_INDEX = {name: position for position, name in enumerate(OPERATOR_CLASSES)}
_TOTALS = (
    "flops", "macs", "moved_bytes", "parameter_bytes", "activation_bytes", "largest_activation_bytes", "input_bytes",
    "output_bytes", "nodes", "depth", "width", "batch", "intensity", "narrow_share",
)  # fmt: skip

FEATURE_NAMES: tuple[str, ...] = (
    *_TOTALS,
    *(f"{name}.{what}" for what in ("flops", "bytes", "nodes") for name in OPERATOR_CLASSES),
)
"""Name of each feature: amounts as log(1 + amount), shares unchanged."""


def flat_features(networks: Sequence[Network]) -> FloatArray:
    """Feature vectors, float64 (n, len(FEATURE_NAMES)); cached by graph hash."""
    if not networks:
        return np.empty((0, len(FEATURE_NAMES)))
    return np.stack([_vector(network) for network in networks])


def _vector(network: Network) -> FloatArray:
    if isinstance(network, GraphFeatures):
        return np.asarray(network.feature(FLAT))
    return _cache.get_or_make(network.hash, partial(read_flat, network))


def operator_class(node: Node, graph: Graph) -> str:
    """Class of a node's operator, a key of `OPERATOR_CLASSES`."""
    name = _CLASS_OF.get(node.operator, "other")
    return _convolution_class(node, graph) if name == "convolution" else name


def walk(graph: Graph, times: int = 1) -> Iterator[tuple[Node, Graph, int, int]]:
    """Each node with the graph that contains it, its FLOPs and how often it runs, bodies included.

    A node with bodies yields the nodes of its bodies, times its trips, and then itself with zero FLOPs.
    """
    for node in graph.nodes:
        for body in node.bodies:
            yield from walk(body, times * node.trips)
        yield node, graph, 0 if node.bodies else node.flops, times


def moved_bytes(node: Node) -> int:
    """Number of bytes that a node reads and writes, parameters included."""
    return node.parameter_bytes + node.input_bytes + node.output_bytes


def _convolution_class(node: Node, graph: Graph) -> str:
    groups = node.attributes.get("group", 1)
    kernel = node.attributes.get("kernel_shape", ())
    if isinstance(groups, int) and groups > 1:
        shape = graph.tensors[node.inputs[0]].shape if node.inputs and node.inputs[0] >= 0 else None
        return "depthwise" if shape is not None and len(shape) > 1 and shape[1] == groups else "grouped"
    return "pointwise" if isinstance(kernel, tuple) and kernel and set(kernel) == {1} else "convolution"


def read_flat(graph: Graph) -> FloatArray:
    """The vector of one graph, float64 (len(FEATURE_NAMES),), read-only."""
    by_class = np.zeros((3, len(OPERATOR_CLASSES)), dtype=object)
    for node, around, flops, times in walk(graph):
        by_class[:, _INDEX[operator_class(node, around)]] += (times * flops, times * moved_bytes(node), times)
    amounts = [float(value) for value in by_class.ravel()]
    vector = np.array([*_totals(graph, by_class), *np.log1p(amounts)])
    vector.setflags(write=False)
    return vector


def _totals(graph: Graph, by_class: "np.ndarray[tuple[int, int], np.dtype[np.object_]]") -> list[float]:
    flops, moved, nodes = (int(sum(row)) for row in by_class)
    written = [spec.size_bytes for node in graph.nodes for i in node.outputs if i >= 0 for spec in (graph.tensors[i],)]
    depth = _depth(graph)
    amounts = [
        flops, graph.macs, moved, graph.parameter_bytes, graph.activation_bytes, max(written, default=0),
        sum(graph.tensors[i].size_bytes for i in graph.inputs), sum(graph.tensors[i].size_bytes for i in graph.outputs),
        nodes, depth,
    ]  # fmt: skip
    width = len(graph.nodes) / max(1, depth)
    return [*(math.log1p(amount) for amount in amounts), math.log1p(width), math.log1p(_batch(graph)),
            math.log1p(flops / max(1, moved)), _narrow_share(graph)]  # fmt: skip


def _depth(graph: Graph) -> int:
    """Number of nodes on the longest path."""
    level = dict.fromkeys(range(-1, len(graph.tensors)), 0)
    for node in graph.nodes:
        reached = 1 + max((level[i] for i in node.inputs), default=0)
        level.update((i, reached) for i in node.outputs if i >= 0)
    return max(level.values())


def _batch(graph: Graph) -> int:
    """The first dimension of the first input that has one; 1 where there is none."""
    shapes = [graph.tensors[i].shape for i in graph.inputs]
    return next((shape[0] for shape in shapes if shape), 1)


def _narrow_share(graph: Graph) -> float:
    """Share of the tensors' elements whose type takes less than four bytes, as quantised ones do."""
    narrow = sum(spec.elements for spec in graph.tensors if DTYPE_BYTES.get(spec.dtype, 4) < 4)
    return narrow / max(1, sum(spec.elements for spec in graph.tensors))


_cache: Cache[GraphHash, FloatArray] = Cache(CACHE_BYTES, weigh=lambda vector: vector.nbytes + 300)
