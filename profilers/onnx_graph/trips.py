"""How often a Loop runs, where its condition follows from constants: the counters of exported while loops.

Frameworks export a while loop as a Loop without a trip count whose body counts and compares (tf2onnx's `while_loop`,
PyTorch's scripted loops). The few nodes that the condition depends on are run, trip by trip, on scalars.
"""

from collections.abc import Callable, Sequence

import numpy as np

from profilers.onnx_graph.constants import Array
from profilers.onnx_graph.evaluation import can_evaluate, evaluate
from profilers.onnx_graph.source import SourceGraph, SourceNode
from profilers.onnx_graph.values import Value

__all__ = ["Evaluations", "Lookup", "count_trips"]

Lookup = Callable[[str], Value | None]


class Evaluations:
    """How many nodes the loops of one model may still run while their trips are counted."""

    def __init__(self, left: int = 100_000) -> None:
        self._left = left

    def take(self, count: int) -> bool:
        """Whether so many more are allowed; then they are spent."""
        self._left -= count
        return self._left >= 0


class _UnknownError(Exception):
    """The condition depends on data, or on an operator that is not evaluated."""


def count_trips(
    body: SourceGraph, inputs: Sequence[Value | None], outer: Lookup, evaluations: Evaluations
) -> int | None:
    """Trips of a Loop until its condition turns false or its trip count is reached; None where that depends on data.

    Args:
        body: of the Loop; takes (iteration, condition, states…) and gives (condition, states…, scans…).
        inputs: of the Loop: trip count, first condition, states; None for an omitted one.
        outer: the value of a name around the body; None for one that nobody defined.
        evaluations: what may be spent; a loop that takes more is unknown.
    """
    try:
        return _Condition(body, inputs, outer).run(evaluations)
    except _UnknownError:
        return None


class _Condition:
    def __init__(self, body: SourceGraph, inputs: Sequence[Value | None], outer: Lookup) -> None:
        self._body, self._outer = body, outer
        self._iteration, self._go_on = body.inputs[0].name, body.inputs[1].name
        self._states = [info.name for info in body.inputs[2:]]
        self._most = None if inputs[0] is None else int(_scalar(inputs[0].data))
        self._begins = True if inputs[1] is None else bool(_scalar(inputs[1].data))
        self._start = dict(zip(self._states, [value for value in inputs[2:] if value is not None], strict=True))
        self._constants: dict[str, Array] = {tensor.name: _known(tensor.data) for tensor in body.tensors
                                             if tensor.data is not None}  # fmt: skip
        self._producers = {name: node for node in body.nodes for name in node.outputs if name}
        self._needed: set[str] = set()

    def run(self, evaluations: Evaluations) -> int:
        nodes = self._slice()
        carried = {
            name: self._body.outputs[1 + place].name for place, name in enumerate(self._states) if name in self._needed
        }
        states = {name: _known(self._start[name].data) for name in carried}
        go_on, trips = self._begins, 0
        while go_on and (self._most is None or trips < self._most):
            if not evaluations.take(len(nodes) + 1):
                raise _UnknownError
            known = {**self._constants, **states, self._iteration: np.array(trips), self._go_on: np.array(go_on)}
            for node in nodes:
                known.update(zip(node.outputs, _evaluated(node, known), strict=False))
            go_on = bool(_scalar(known.get(self._body.outputs[0].name)))
            states = {name: _known(known.get(after)) for name, after in carried.items()}
            trips += 1
        return trips

    def _slice(self) -> list[SourceNode]:
        """The nodes that the condition depends on, through the states of earlier trips too, in order."""
        pending = [self._body.outputs[0].name]
        while pending:
            name = pending.pop()
            if name in self._needed or not name:
                continue
            self._needed.add(name)
            pending.extend(self._reads(name))
        return [node for node in self._body.nodes if any(name in self._needed for name in node.outputs)]

    def _reads(self, name: str) -> Sequence[str]:
        producer = self._producers.get(name)
        if producer is not None:
            operation = producer.operation
            if operation.domain or not (operation.is_constant or can_evaluate(operation.operator)):
                raise _UnknownError
            return producer.inputs
        if name in self._start:
            _known(self._start[name].data)
            return [self._body.outputs[1 + self._states.index(name)].name]
        if name not in (self._iteration, self._go_on) and name not in self._constants:
            value = self._outer(name)
            self._constants[name] = _known(None if value is None else value.data)
        return ()


def _evaluated(node: SourceNode, known: dict[str, Array]) -> Sequence[Array]:
    operation = node.operation
    if operation.is_constant:
        tensor = operation.tensors.get("value")
        plain = next(iter(operation.plain.values()), None)
        return [_known(tensor.data if tensor is not None else None if plain is None else np.asarray(plain))]
    tensors = {name: tensor.proto for name, tensor in operation.tensors.items()}
    arrays = [known[name] if name else None for name in node.inputs]
    outputs = evaluate(operation.operator, arrays, {**operation.plain, **tensors})
    if outputs is None:
        raise _UnknownError
    return outputs


def _known(array: Array | None) -> Array:
    if array is None:
        raise _UnknownError
    return array


def _scalar(array: Array | None) -> np.generic:
    if array is None or array.size != 1:
        raise _UnknownError
    value: np.generic = array.reshape(-1)[0]
    return value
