"""Which constants' values matter: what may be stripped, with what it is refilled, and what enters the hash.

The values of a weight say nothing about latency; the values of a shape, an index, a scale or an exponent do. Which is
which follows from the operator and the position where the constant is read, also through operators that only move
data.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal, NamedTuple, Protocol, get_args

__all__ = [
    "FLOATS",
    "MARK",
    "QUANTISED",
    "ROLES",
    "SMALL_WEIGHT",
    "Body",
    "Constant",
    "Function",
    "Need",
    "Role",
    "Use",
    "constant_uses",
    "constants_of",
    "model_uses",
    "stripped_role",
    "values_matter",
]

SMALL_WEIGHT = 16
"""Float constants up to this many elements keep their values."""

FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
"""Types of weights and activations whose values are arbitrary."""

QUANTISED = frozenset({
    "int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2", "float8e4m3fn", "float8e4m3fnuz",
    "float8e5m2", "float8e5m2fnuz", "float8e8m0", "float4e2m1",
})  # fmt: skip
"""Types of quantised weights, whose values are arbitrary where an operator reads them as such."""

Role = Literal["normal", "scale", "positive", "uniform"]
"""What a refilled tensor holds.

`normal`: weights, biases, embeddings: normal, of variance 1/fan-in where the consumer has one.
`scale`: factors of normalisations: normal around 1.
`positive`: variances, divisors: uniform in [0.5, 1.5).
`uniform`: quantised weights: uniform over the whole type.
"""

ROLES: tuple[Role, ...] = get_args(Role)

MARK = "latcast:refill="
"""A tensor without values has this and its role in its `doc_string`, which is part of every ONNX version."""


class Constant(Protocol):
    """An initializer, or the tensor of a Constant node."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def dtype(self) -> str:
        """Element type; `""` for one that is not known."""
        ...

    @property
    def elements(self) -> int:
        """Number of elements."""
        ...

    @property
    def role(self) -> Role | None:
        """With what it is refilled; None for one that was never stripped."""
        ...


class Named(Protocol):
    """An output of a graph."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


class Operation(Protocol):
    """What a node does."""

    @property
    def operator(self) -> str:
        """Its type."""
        ...

    @property
    def domain(self) -> str:
        """`""` for ai.onnx."""
        ...

    @property
    def plain(self) -> Mapping[str, Any]:
        """Attributes that are numbers, by name."""
        ...

    @property
    def tensors(self) -> Mapping[str, Any]:
        """Constants."""
        ...

    @property
    def graphs(self) -> "Sequence[Body]":
        """Bodies."""
        ...


class Node(Protocol):
    """A node; an omitted input or output has an empty name."""

    @property
    def operation(self) -> Operation:
        """What it does."""
        ...

    @property
    def inputs(self) -> Sequence[str]:
        """Names."""
        ...

    @property
    def outputs(self) -> Sequence[str]:
        """What it gives."""
        ...


class Body(Protocol):
    """A graph or a subgraph."""

    @property
    def nodes(self) -> Sequence[Node]:
        """In the order of the file."""
        ...

    @property
    def tensors(self) -> Sequence[Constant]:
        """Constants."""
        ...

    @property
    def outputs(self) -> Sequence[Named]:
        """What it gives."""
        ...


class Function(Protocol):
    """A local function."""

    @property
    def domain(self) -> str:
        """`""` for ai.onnx."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def nodes(self) -> Sequence[Node]:
        """In the order of the file."""
        ...


class Need(IntEnum):
    """How much of a constant's values a consumer depends on."""

    NOTHING = 0
    """A weight: any value of its kind does."""
    SMALL = 1
    """An ordinary operand: a scalar exponent or bound matters, a large tensor does not."""
    EXACT = 2
    """A shape, index, condition or quantisation scale."""


class Use(NamedTuple):
    """How the consumers of a constant read it.

    Args:
        floats: need of the values, were they floats.
        integers: need of the values, were they integers.
        role: what to refill it with.
        fan_in_axes: axes whose product is the fan-in; `()` where there is none.
    """

    floats: Need
    integers: Need
    role: Role
    fan_in_axes: tuple[int, ...] = ()


_ALL_BUT_FIRST = (1, 2, 3, 4, 5)
_NORMAL = Use(Need.NOTHING, Need.EXACT, "normal")
_SCALE = Use(Need.NOTHING, Need.EXACT, "scale")
_POSITIVE = Use(Need.NOTHING, Need.EXACT, "positive")
_QUANTISED = Use(Need.NOTHING, Need.NOTHING, "uniform")
_EXACT = Use(Need.EXACT, Need.EXACT, "normal")
_OPERAND = Use(Need.SMALL, Need.EXACT, "normal")


def _matrix(*fan_in_axes: int) -> Use:
    return Use(Need.NOTHING, Need.EXACT, "normal", fan_in_axes)


_CONV = {1: _matrix(*_ALL_BUT_FIRST), 2: _NORMAL}
_MATMUL = {0: _matrix(-1), 1: _matrix(-2), 2: _NORMAL}
_NORMALISE = {1: _SCALE, 2: _NORMAL}
_RECURRENT = {1: _matrix(2), 2: _matrix(2), 3: _NORMAL, 5: _NORMAL, 6: _NORMAL, 7: _NORMAL}

_POSITIONS: dict[str, dict[int, Use]] = {
    "Add": {}, "Attention": {1: _matrix(0), 2: _NORMAL}, "BatchNormalization": {**_NORMALISE, 3: _NORMAL, 4: _POSITIVE},
    "BiasAdd": {1: _NORMAL}, "BiasGelu": {1: _NORMAL}, "Conv": _CONV, "ConvInteger": {1: _QUANTISED},
    "ConvTranspose": {1: _matrix(0, 2, 3, 4), 2: _NORMAL}, "DeformConv": {1: _matrix(*_ALL_BUT_FIRST), 3: _NORMAL},
    "DequantizeLinear": {0: _QUANTISED, 1: _EXACT, 2: _EXACT}, "Div": {1: Use(Need.SMALL, Need.EXACT, "positive")},
    "DynamicQuantizeLSTM": {1: _QUANTISED, 2: _QUANTISED, 3: _NORMAL, 8: _EXACT, 9: _EXACT, 10: _EXACT, 11: _EXACT},
    "DynamicQuantizeMatMul": {1: _QUANTISED, 2: _EXACT, 3: _EXACT, 4: _NORMAL},
    "Einsum": {at: _matrix(-2) for at in range(8)},
    "EmbedLayerNormalization": {2: _NORMAL, 3: _NORMAL, 4: _NORMAL, 5: _SCALE, 6: _NORMAL},
    "FastGelu": {1: _NORMAL}, "FusedConv": {**_CONV, 3: _NORMAL}, "FusedGemm": _MATMUL, "FusedMatMul": _MATMUL,
    "GRU": _RECURRENT, "Gather": {0: _NORMAL}, "GatherND": {0: _NORMAL}, "Gemm": _MATMUL,
    "GroupNormalization": _NORMALISE, "GroupNorm": _NORMALISE, "InstanceNormalization": _NORMALISE, "LSTM": _RECURRENT,
    "LayerNormalization": _NORMALISE, "Log": {0: _OPERAND._replace(role="positive")}, "MatMul": _MATMUL,
    "MatMulBnb4": {1: _QUANTISED, 2: _SCALE}, "MatMulInteger": {0: _QUANTISED, 1: _QUANTISED},
    "MatMulIntegerToFloat": {1: _QUANTISED, 3: _EXACT, 5: _EXACT, 6: _NORMAL},
    "MatMulNBits": {1: _QUANTISED, 2: _SCALE, 3: _QUANTISED}, "Mul": {},
    "NhwcConv": _CONV, "NhwcFusedConv": _CONV, "PRelu": {1: _NORMAL}, "Pow": {0: _OPERAND._replace(role="positive")},
    "QAttention": {1: _QUANTISED, 2: _NORMAL, 3: _EXACT, 4: _EXACT},
    "QGemm": {at: _QUANTISED if at in (0, 3) else _EXACT for at in range(9)},
    "QLinearConv": {at: _QUANTISED if at in (0, 3) else _EXACT for at in range(9)},
    "QLinearMatMul": {at: _QUANTISED if at in (0, 3) else _EXACT for at in range(8)},
    "QLinearAdd": {at: _QUANTISED if at in (0, 3) else _EXACT for at in range(8)},
    "QLinearMul": {at: _QUANTISED if at in (0, 3) else _EXACT for at in range(8)},
    "QuantizeLinear": {0: _NORMAL, 1: _EXACT, 2: _EXACT}, "RMSNormalization": {1: _SCALE}, "RNN": _RECURRENT,
    "Reciprocal": {0: _OPERAND._replace(role="positive")}, "SimplifiedLayerNormalization": {1: _SCALE},
    "SkipLayerNormalization": {1: _NORMAL, 2: _SCALE, 3: _NORMAL, 4: _NORMAL},
    "SkipSimplifiedLayerNormalization": {1: _NORMAL, 2: _SCALE, 3: _NORMAL},
    "Sqrt": {0: _OPERAND._replace(role="positive")},
}  # fmt: skip
_POSITIONS["Mul"] = {0: _OPERAND._replace(role="scale"), 1: _OPERAND._replace(role="scale")}

# Operators where a float operand steers shapes or control flow, or may be turned into an integer that does.
_STEERED = frozenset({"Cast", "If", "Loop", "NonMaxSuppression", "OneHot", "Range", "Resize", "Scan", "Upsample"})
# Operators that hand their first input on: what reads their output reads the input.
_MOVERS = frozenset({"Concat", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile",
                     "Transpose", "Unsqueeze"})  # fmt: skip
_KEEPING = _MOVERS | {"Constant"}
"""Operators whose outputs' uses are asked for: constants, and what may hand a constant on."""
_SAFETY: tuple[Role, ...] = ("uniform", "normal", "scale", "positive")
_NOWHERE: dict[int, Use] = {}
_LAST_USE = Use(Need.SMALL, Need.EXACT, "normal")


def walk_bodies(graph: Body) -> Iterator[Body]:
    """The graph and every body inside it, each before the bodies it holds."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield current
        for node in current.nodes:
            pending.extend(node.operation.graphs)


def constants_of(graph: Body, functions: Sequence[Function] = ()) -> Iterator[tuple[Any, str]]:
    """Every initializer and Constant node's tensor with the name it is read by, in the file's order."""
    for body in walk_bodies(graph):
        for tensor in body.tensors:
            yield tensor, tensor.name
        yield from _constant_nodes(body.nodes)
    for function in functions:
        yield from _constant_nodes(function.nodes)


def _constant_nodes(nodes: Sequence[Node]) -> Iterator[tuple[Any, str]]:
    for node in nodes:
        tensor = node.operation.tensors.get("value") if node.operation.operator == "Constant" else None
        if tensor is not None and node.outputs:
            yield tensor, node.outputs[0]


def model_uses(graph: Body, functions: Sequence[Function] = ()) -> dict[str, Use]:
    """Uses by name in a whole model; what a local function is called with may be read there in any way."""
    uses = constant_uses(graph)
    called = {(function.domain, function.name) for function in functions}
    for body in walk_bodies(graph) if called else ():
        for node in body.nodes:
            if (node.operation.domain, node.operation.operator) in called:
                uses.update(dict.fromkeys(node.inputs, _EXACT))
    for function in functions:
        for name, use in constant_uses(_FunctionBody(function.nodes)).items():
            uses[name] = _EXACT if name in uses else use
    return uses


class _FunctionBody(NamedTuple):
    nodes: Sequence[Node]
    tensors: Sequence[Constant] = ()
    outputs: Sequence[Named] = ()


def constant_uses(graph: Body) -> dict[str, Use]:
    """How each constant of the graph and its bodies is read, by name; names that nobody reads are absent.

    Siblings' bodies may use one name for two tensors: their uses are joined, which keeps more values, never fewer.
    """
    bodies = list(walk_bodies(graph))
    wanted = {tensor.name for body in bodies for tensor in body.tensors}
    for body in bodies:
        wanted.update(name for node in body.nodes if node.operation.operator in _KEEPING for name in node.outputs)
    uses: dict[str, Use] = {}
    for body in reversed(bodies):
        for node in reversed(body.nodes):
            _note_node(node, uses, wanted)
        if body is not graph:
            for info in body.outputs:
                _join(uses, info.name, _LAST_USE)
    return uses


def _note_node(node: Node, uses: dict[str, Use], wanted: Collection[str]) -> None:
    operation = node.operation
    operator = operation.operator
    for position, name in enumerate(node.inputs):
        if name not in wanted:
            continue
        if operator in _MOVERS and (position == 0 or operator == "Concat"):
            for output in node.outputs:
                if output in uses:
                    _join(uses, name, _moved(uses[output], operator))
        elif operator in _STEERED:
            _join(uses, name, _EXACT)
        else:
            _join(uses, name, _read(operation, position))


def _read(operation: Operation, position: int) -> Use:
    use = _POSITIONS.get(operation.operator, _NOWHERE).get(position, _OPERAND)
    if use.fan_in_axes not in ((-1,), (-2,)) or position > 1:
        return use
    if operation.plain.get(("transA", "transB")[position]):
        return use._replace(fan_in_axes=(-3 - use.fan_in_axes[0],))
    return use


def _moved(use: Use, operator: str) -> Use:
    if operator == "Transpose" and use.fan_in_axes in ((-1,), (-2,)):
        return use._replace(fan_in_axes=(-3 - use.fan_in_axes[0],))
    return use


def _join(uses: dict[str, Use], name: str, use: Use) -> None:
    """The stricter need and the safer role of two uses."""
    known = uses.get(name)
    if known is None or known is use:
        uses[name] = use
        return
    safest = max(known, use, key=lambda item: _SAFETY.index(item.role))
    uses[name] = safest._replace(floats=max(known.floats, use.floats), integers=max(known.integers, use.integers))


def values_matter(tensor: Constant, use: Use | None) -> bool:
    """Whether a constant's values are part of what the graph computes, as far as its latency goes.

    Args:
        tensor: an initializer or a Constant node's value.
        use: how it is read; None when nobody does.
    """
    if use is None:
        return False
    if tensor.dtype in FLOATS:
        if use.floats == Need.SMALL:
            return tensor.elements <= SMALL_WEIGHT and tensor.role is None
        return use.floats == Need.EXACT
    return use.integers != Need.NOTHING or tensor.elements <= SMALL_WEIGHT


def stripped_role(tensor: Constant, use: Use | None) -> Role | None:
    """With what a constant is refilled once its values are taken out; None for one that keeps them.

    What is taken out never matters in the sense of `values_matter`, so that a graph's hash stays the same.
    """
    if tensor.role is not None:
        return tensor.role  # of a model that was refilled
    if tensor.elements <= SMALL_WEIGHT:
        return None
    if tensor.dtype in FLOATS:
        if use is None:
            return "normal"
        return None if use.floats == Need.EXACT else use.role if use.role != "uniform" else "normal"
    quantised = tensor.dtype in QUANTISED and use is not None and use.integers == Need.NOTHING
    return "uniform" if quantised else None
