"""A graph in half precision as CPU runtimes run it: in float32, with casts where tensors stay as they are.

ONNX Runtime has few kernels for float16 on CPUs. It computes everything else in float32, after a cast of what comes in
halves; operators that only move data keep halves where one of their neighbours does (`InsertCastTransformer`). An
operator that ONNX defines by others, and that has no kernel for halves, is taken apart. Weights are converted when the
model is loaded. OpenVINO runs the same graph as if it had been exported in float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from latcast.schema import Attribute, Graph, Node, TensorSpec

__all__ = ["widened"]

_HALF, _SINGLE = "float16", "float32"
_WIDER = {_HALF: _SINGLE, _SINGLE: _SINGLE}
_Part = tuple[str, tuple[int, ...]]
_MOVING = {
    "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Split", "Slice", "Gather",
    "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Expand", "Pad", "Tile", "Where", "Shape", "Size",
    "ConstantOfShape", "LayerNormalization", "If", "Loop", "Scan",
}  # fmt: skip
"""Operators with a kernel for halves: they move data or run bodies; a normalisation is among them."""
_REDUCE, _DIVIDE = (("ReduceMax", (0,)), ("Sub", (0, 1)), ("Exp", (2,)), ("ReduceSum", (3,))), ("Div", (3, 4))
_PARTS: Mapping[str, tuple[int, tuple[_Part, ...]]] = {
    "Softmax": (13, (*_REDUCE, _DIVIDE)),
    "LogSoftmax": (13, (*_REDUCE, ("Log", (4,)), ("Sub", (2, 5)))),
    "HardSwish": (14, (("HardSigmoid", (0,)), ("Mul", (0, 1)))),
}
"""Operators that are taken apart: since which opset, and their parts, each with what it reads: 0 is the input, n the
result of the n-th part."""


def widened(graph: Graph, *, casts: bool = True) -> tuple[Graph, tuple[tuple[int, ...], ...] | None]:
    """The graph in float32, and for each of its nodes the nodes of the original graph that it stands for.

    Args:
        graph: of any precision. One without halves comes back as it is, with None.
        casts: whether operators that move data keep halves where a neighbour does, and others are taken apart.
    """
    if all(tensor.dtype != _HALF for tensor in graph.tensors):
        return graph, None
    writer = _Writer(graph)
    kept = _kept_in_halves(graph) if casts else set()
    for index, node in enumerate(graph.nodes):
        if _is_rename(graph, node):
            writer.rename(node)
        elif index in kept or node.bodies:
            writer.keep(index, node)
        else:
            writer.compute(index, node, apart=casts)
    return writer.finish(), tuple(writer.owners)


def _is_rename(graph: Graph, node: Node) -> bool:
    """Nothing happens, or a Cast between halves and float32: what reads it takes what it needs."""
    if node.operator not in {"Cast", "Identity", "Dropout"} or any(tensor >= 0 for tensor in node.outputs[1:]):
        return False
    return {graph.tensors[node.inputs[0]].dtype, graph.tensors[node.outputs[0]].dtype} <= _WIDER.keys()


def _kept_in_halves(graph: Graph) -> set[int]:
    """Nodes that move data in halves: a neighbour, an input, a weight or a result of the graph has them in halves."""
    moving = {index for index, node in enumerate(graph.nodes) if node.operator in _MOVING}
    computed = {
        tensor
        for index, node in enumerate(graph.nodes)
        if index not in moving and not _is_rename(graph, node)
        for tensor in node.outputs
    }
    read: set[int] = set(graph.outputs)
    for index in moving:
        read.update(graph.nodes[index].inputs)
    kept = set()
    for index in moving:
        node = graph.nodes[index]
        before = [tensor for tensor in node.inputs if tensor >= 0 and graph.tensors[tensor].dtype == _HALF]
        after = [tensor for tensor in node.outputs if tensor >= 0 and graph.tensors[tensor].dtype == _HALF]
        if not before or not computed.issuperset(before) or not read.isdisjoint(after):
            kept.add(index)
    return kept


class _Writer:
    """Writes the graph anew, each value in the precisions that are asked for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.constants = set(graph.initializers)
        self.nodes: list[Node] = []
        self.owners: list[tuple[int, ...]] = []
        self._places: dict[int, dict[str, int]] = {}
        """Where the value of each tensor of the original graph is, by precision."""

    def rename(self, node: Node) -> None:
        """The node's result is what it reads, in whichever precision that is asked for."""
        self._places[node.outputs[0]] = self._found(node.inputs[0])

    def keep(self, index: int, node: Node) -> None:
        """The node, reading and writing what it does in the original graph."""
        inputs = tuple(self._read(tensor, self._dtype(tensor), index) for tensor in node.inputs)
        self._write(replace(node, inputs=inputs), index)

    def compute(self, index: int, node: Node, *, apart: bool) -> None:
        """The node in float32."""
        inputs = tuple(self._read(tensor, _WIDER.get(self._dtype(tensor), ""), index) for tensor in node.inputs)
        outputs = tuple(self._result(tensor) for tensor in node.outputs)
        since, parts = _PARTS.get(node.operator, (0, ()))
        if apart and parts and inputs[0] != node.inputs[0] and self.graph.opset >= since:
            self._take_apart(index, node, inputs[0], outputs[0], parts)
        else:
            self._write(replace(node, inputs=inputs, outputs=outputs), index)

    def finish(self) -> Graph:
        """The graph, with its results in the precision of the original."""
        last = len(self.graph.nodes) - 1
        outputs = tuple(self._read(tensor, self._dtype(tensor), last) for tensor in self.graph.outputs)
        return replace(
            self.graph,
            tensors=tuple(self.tensors),
            nodes=tuple(self.nodes),
            initializers=frozenset(self.constants),
            outputs=outputs,
        )

    def _take_apart(self, index: int, node: Node, source: int, result: int, parts: Sequence[_Part]) -> None:
        shape = self.tensors[source].shape
        axis = node.attributes.get("axis", -1)
        reduced = None
        if shape and isinstance(axis, int):
            reduced = tuple(1 if place == axis % len(shape) else size for place, size in enumerate(shape))
        values = [source]
        for operator, read in parts:
            reduces = operator.startswith("Reduce")
            target = result if len(values) == len(parts) else self._tensor(_SINGLE, reduced if reduces else shape)
            attributes: dict[str, Attribute] = {"keepdims": 1} if reduces else {}
            inputs = tuple(values[place] for place in read)
            self._write(Node(operator=operator, inputs=inputs, outputs=(target,), attributes=attributes), index)
            values.append(target)

    def _dtype(self, tensor: int) -> str:
        return self.graph.tensors[tensor].dtype if tensor >= 0 else ""

    def _found(self, tensor: int) -> dict[str, int]:
        """Where the tensor's value is, by precision; what no computation has widened is where it was."""
        return self._places.setdefault(tensor, {self._dtype(tensor): tensor})

    def _read(self, tensor: int, dtype: str, reader: int) -> int:
        """Where the value is in this precision, cast if need be; any other tensor is where it was."""
        if dtype not in _WIDER:
            return tensor
        places = self._found(tensor)
        if dtype not in places:
            (source,) = places.values()
            places[dtype] = target = self._tensor(dtype, self.tensors[source].shape)
            if source in self.constants:
                self.constants.add(target)
            else:
                self._write(Node(operator="Cast", inputs=(source,), outputs=(target,)), reader)
        return places[dtype]

    def _result(self, tensor: int) -> int:
        """Where a computation writes what the original graph has in this tensor."""
        if self._dtype(tensor) != _HALF:
            return tensor
        target = self._tensor(_SINGLE, self.tensors[tensor].shape)
        self._places[tensor] = {_SINGLE: target}
        return target

    def _tensor(self, dtype: str, shape: tuple[int, ...] | None) -> int:
        self.tensors.append(TensorSpec(name=f"widened_{len(self.tensors)}", dtype=dtype, shape=shape))
        return len(self.tensors) - 1

    def _write(self, node: Node, owner: int) -> None:
        self.nodes.append(node)
        self.owners.append((owner,))
