"""What a network is: tensors, nodes, graphs and architectures."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, prod

__all__ = ["DTYPE_BYTES", "Architecture", "Attribute", "Graph", "GraphHash", "Node", "TensorSpec"]

GraphHash = str
"""`"g1-"` followed by 64 hexadecimal digits; the number is the version of the hash."""

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
"""An attribute's value; tensors and subgraphs are not kept here (see `Node.bodies`)."""

DTYPE_BYTES: Mapping[str, float] = {
    "float32": 4, "float16": 2, "bfloat16": 2, "float64": 8, "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1, "int4": 0.5, "uint4": 0.5, "string": 16,
    "complex64": 8, "complex128": 16, "float8e4m3fn": 1, "float8e4m3fnuz": 1, "float8e5m2": 1, "float8e5m2fnuz": 1,
    "float4e2m1": 0.5, "float8e8m0": 1, "float6e2m3": 0.75, "float6e3m2": 0.75, "int2": 0.25, "uint2": 0.25,
}  # fmt: skip
"""Bytes an element takes, by data type (ONNX names in lower case)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """A tensor's name, data type and static shape.

    Args:
        name: name in the model; not part of a graph's identity.
        dtype: ONNX element type in lower case, for example `float32`; `""` when unknown (an optional or a sequence).
        shape: sizes; `()` is a scalar. `None` when shape inference could not tell (data-dependent).
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None

    @property
    def elements(self) -> int:
        """Number of elements; 0 where the shape is unknown."""
        return 0 if self.shape is None else prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes the elements take."""
        return int(self.elements * DTYPE_BYTES.get(self.dtype, 4))

    @property
    def summary(self) -> dict[str, object]:
        """Name, type and shape in JSON values."""
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "dtype": self.dtype, "shape": shape}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator of a graph.

    Args:
        operator: operator type, for example `Conv`.
        domain: `""` for ai.onnx.
        inputs: indices into `Graph.tensors`; -1 for an omitted optional input.
        outputs: indices into `Graph.tensors`; -1 for an omitted optional output.
        attributes: plain attributes (no tensors, no subgraphs, no list of more than 4,096 entries; where a tree
            ensemble had such lists, `trees` and `nodes` say how many it has).
        macs: multiply-accumulates of matrix-like operators (Conv, ConvTranspose, Gemm, MatMul, RNNs, Einsum, …),
            bodies times their trips included.
        flops: floating-point operations in all: 2 × macs, plus the element-wise work (bias, activations,
            normalisation, reductions).
        parameter_bytes: bytes of the initializers that the node reads.
        input_bytes: bytes of the other tensors that it reads.
        output_bytes: bytes that it writes.
        bodies: subgraphs of If, Loop, Scan and of local functions, in the order of their attributes' names.
        trips: how often a body runs: known trip count of Loop, sequence length of Scan, else 1.
        name: name in the model; not part of the identity.
    """

    operator: str
    domain: str = ""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    macs: int = 0
    flops: int = 0
    parameter_bytes: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    bodies: "tuple[Graph, ...]" = ()
    trips: int = 1
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network's structure with static shapes; no weights.

    Args:
        hash: content hash: names, node order and float weights' values do not enter (see `profilers.onnx_graph`).
        tensors: every tensor: inputs, initializers, intermediate ones.
        inputs: indices of the graph's inputs that are fed (initializers are not inputs).
        outputs: indices of the graph's outputs.
        initializers: indices of constant tensors (initializers and outputs of Constant nodes).
        nodes: in topological order, as executed; Constant nodes are initializers, not nodes.
        opset: version of the ai.onnx opset.
        outer: indices of tensors that are decided outside. For a body those that it reads from the graphs around it; at
            the top initializers that are inputs as well: a caller may override them, so no runtime takes them for
            constants.
        denormal_weights: some float initializer holds denormal values, which can slow a runtime tenfold.
        training_mode: some normalisation or dropout runs as in training, which no runtime folds away.
        stored: elements by element type of the constants that the file holds and some node reads, each counted once,
            whatever is computed from it; those of bodies are in the bodies' graphs. None where no file was read.
    """

    hash: GraphHash
    tensors: tuple[TensorSpec, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    initializers: frozenset[int] = frozenset()
    nodes: tuple[Node, ...]
    opset: int = 0
    outer: tuple[int, ...] = ()
    denormal_weights: bool = False
    training_mode: bool = False
    stored: Mapping[str, int] | None = field(default=None, compare=False)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(node.macs for node in self.nodes)

    @property
    def flops(self) -> int:
        """Floating-point operations of one run (2 × MACs plus element-wise work)."""
        return sum(node.flops for node in self.nodes)

    @property
    def parameters(self) -> dict[str, int]:
        """Elements of all constant tensors by element type, those of bodies included, each counted once."""
        counts = Counter(self.stored if self.stored is not None else self._listed_constants())
        for node in self.nodes:
            for body in node.bodies:
                counts.update(body.parameters)
        return dict(counts.most_common())

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all constant tensors, those of bodies included, each counted once."""
        if self.stored is None:
            parameters = sum(self.tensors[index].size_bytes for index in self.initializers)
        else:
            parameters = sum(ceil(count * DTYPE_BYTES.get(dtype, 4)) for dtype, count in self.stored.items())
        return parameters + sum(body.parameter_bytes for node in self.nodes for body in node.bodies)

    def _listed_constants(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for index in self.initializers:
            counts[self.tensors[index].dtype] += self.tensors[index].elements
        return counts

    @property
    def activation_bytes(self) -> int:
        """Bytes that the nodes write, the inputs included."""
        return sum(node.output_bytes for node in self.nodes) + sum(self.tensors[i].size_bytes for i in self.inputs)

    @property
    def arithmetic_intensity(self) -> float:
        """FLOPs for each byte of parameters and activations that has to move at least once."""
        moved = self.parameter_bytes + self.activation_bytes
        return self.flops / moved if moved else 0.0

    @property
    def size(self) -> int:
        """Number of nodes, those of bodies included."""
        return len(self.nodes) + sum(body.size for node in self.nodes for body in node.bodies)

    @property
    def summary(self) -> dict[str, object]:
        """What people are told of a graph, in JSON values; sizes in bytes, work in operations for one run."""
        return {
            "nodes": len(self.nodes),
            "operators": self.operators,
            "macs": self.macs,
            "flops": self.flops,
            "parameters": self.parameters,
            "parameter_bytes": self.parameter_bytes,
            "activation_bytes": self.activation_bytes,
            "arithmetic_intensity": self.arithmetic_intensity,
            "inputs": [self.tensors[index].summary for index in self.inputs],
            "outputs": [self.tensors[index].summary for index in self.outputs],
            "opset": self.opset,
            "denormal_weights": self.denormal_weights,
        }

    @property
    def operators(self) -> dict[str, int]:
        """How often each operator occurs, bodies included, most frequent first."""
        counts: Counter[str] = Counter()
        for node in self.nodes:
            counts[node.operator] += 1
            for body in node.bodies:
                counts.update(body.operators)
        return dict(counts.most_common())


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A text in a search space that yields a graph."""

    space: str
    text: str
