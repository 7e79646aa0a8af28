"""Which tensor of the model each tensor belongs to that quantisation added."""

from itertools import count

from onnx import GraphProto, NodeProto

from profilers.quantisation.marks import SEPARATOR

__all__ = ["QDQ", "rename_additions"]

QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})


def rename_additions(graph: GraphProto, tensors: set[str]) -> None:
    """Name every tensor that a node produces and that is not among `tensors` after the one of them it belongs to."""
    owners = _Owners(graph, tensors)
    numbers = count()
    renamed = {
        name: f"{owner}{SEPARATOR}{next(numbers)}"
        for node in graph.node
        for name in node.output
        if name and name not in tensors and (owner := owners.of(node))
    }
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in list(graph.value_info):
        value.name = renamed.get(value.name, value.name)


class _Owners:
    """Which tensor of the model an added node serves.

    A pair of quantise and dequantise belongs to what it quantises, since the runtime fuses it into the node before; at
    the model's inputs, and for everything else, it is the next tensor of the model that is computed from the node.
    """

    def __init__(self, graph: GraphProto, tensors: set[str]) -> None:
        self._tensors = tensors
        self._producer = {name: node for node in graph.node for name in node.output}
        self._consumers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._consumers.setdefault(name, []).append(node)

    def of(self, node: NodeProto) -> str | None:
        return self._backward(node) or self._forward(node)

    def _backward(self, node: NodeProto) -> str | None:
        while node.op_type in QDQ:
            name = node.input[0]
            if name in self._tensors or name not in self._producer:
                return name if name in self._tensors else None
            node = self._producer[name]
        return None

    def _forward(self, node: NodeProto) -> str | None:
        seen: set[str] = set()
        waiting = [node]
        while waiting:
            outputs = [str(name) for name in waiting.pop(0).output]
            of_model = [name for name in outputs if name in self._tensors]
            if of_model:
                return of_model[0]
            fresh = [name for name in outputs if name not in seen]
            seen.update(fresh)
            waiting.extend(consumer for name in fresh for consumer in self._consumers.get(name, ()))
        return None
