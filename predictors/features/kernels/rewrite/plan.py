"""The working state of fusion: steps that each will be one kernel, and who reads what.

A `Step` starts as one node. Rules (see `fusion` and `layout`) merge steps, drop those that cost nothing, and mark the
tensors that a runtime computes once, when it loads the model. What is left is what the runtime executes.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain
from operator import attrgetter

from latcast.schema import Attribute, Graph, Node, TensorSpec

__all__ = ["FusionPlan", "Step"]


class Step:
    """A kernel in the making.

    Args:
        nodes: indices into `Graph.nodes` that it covers; the last one makes its output.
        operator: what the runtime will run, for example `Conv` or `LayerNormalization`.
        attributes: of the node that does the main work.
        inputs: tensors that it reads, -1 for omitted ones; the main node's come first and in their order.
        outputs: tensors that it writes, -1 for omitted ones.
        activations: operators applied to the result before it is written.
        residual: whether another tensor is added to the result before it is written.
        blocked: whether it works on channel-blocked tensors.
        main: index of the node that does the main work.
        position: where it stands in execution order.
        alive: whether it is still one of the plan's.
        channels_first: whether the runtime runs it on tensors whose last axis, as the graph has it, comes first.
    """

    __slots__ = (
        "activations",
        "alive",
        "attributes",
        "blocked",
        "channels_first",
        "inputs",
        "main",
        "nodes",
        "operator",
        "outputs",
        "position",
        "residual",
    )

    def __init__(self, index: int, node: Node, inputs: list[int]) -> None:
        self.nodes, self.main, self.position, self.alive = [index], index, index, True
        self.operator = node.operator
        self.attributes: Mapping[str, Attribute] = node.attributes
        self.inputs, self.outputs = inputs, list(node.outputs)
        self.activations: list[str] = []
        self.residual = self.blocked = self.channels_first = False

    def ints(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self.attributes.get(name, default)
        if not isinstance(value, tuple):
            return default
        return value if value and type(value[0]) is int else tuple(int(item) for item in value)  # type: ignore[return-value]

    def number(self, name: str, default: float) -> float:
        """A number among the attributes."""
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one integer."""
        value = self.attributes.get(name, default)
        return int(value) if isinstance(value, int | float) else default


class FusionPlan:
    """A graph's steps, and indices of who produces and who reads each tensor.

    Args:
        graph: whose nodes are to be fused; it stays as it is.
        constants_outside: names of constants in the graphs around it, where it is a body.

    Attributes:
        constant: tensors known when the model is loaded.
        results: tensors that the graph gives back.
        free: nodes that cost nothing.
        apart: nodes that end a pattern which the runtime does not find.
    """

    def __init__(self, graph: Graph, constants_outside: Set[str] = frozenset()) -> None:
        self.graph = graph
        self.constant: set[int] = set(graph.initializers)
        self.constant.update(tensor for tensor in graph.outer if graph.tensors[tensor].name in constants_outside)
        self.results = set(graph.outputs)
        self.free: set[int] = set()
        self.apart: set[int] = set()
        self._producer: dict[int, Step] = {}
        self._readers: dict[int, list[Step]] = {}
        self._all: list[Step] = []
        self._by_operator: dict[str, list[Step]] = {}
        self._changed = False
        for index, node in enumerate(graph.nodes):
            step = Step(index, node, list(node.inputs))
            self._all.append(step)
            self._add(step)

    def _add(self, step: Step) -> None:
        step.alive = self._changed = True
        for tensor in step.outputs:
            if tensor >= 0:
                self._producer[tensor] = step
        for tensor in set(step.inputs):
            if tensor >= 0:
                self._readers.setdefault(tensor, []).append(step)

    def _forget(self, step: Step) -> None:
        step.alive, self._changed = False, True
        for tensor in step.outputs:
            self._producer.pop(tensor, None)
        for tensor in set(step.inputs):
            if tensor >= 0:
                self._readers[tensor].remove(step)

    def steps(self) -> list[Step]:
        """The steps of the moment, in execution order."""
        if self._changed:
            self._all = sorted([step for step in self._all if step.alive], key=_position)
            self._changed = False
            self._by_operator.clear()
        return list(self._all)

    def steps_of(self, operators: Set[object]) -> list[Step]:
        """The steps of these operators."""
        steps = self.steps()
        if not self._by_operator:
            for step in steps:
                self._by_operator.setdefault(step.operator, []).append(step)
        groups = [those for name, those in self._by_operator.items() if name in operators]
        return list(groups[0]) if len(groups) == 1 else sorted(chain.from_iterable(groups), key=_position)

    def live(self, steps: Iterable[Step]) -> Iterator[Step]:
        """The steps that still stand when their turn comes."""
        for step in steps:
            if step.alive:
                yield step

    def spec(self, tensor: int) -> TensorSpec:
        """Type and shape of a tensor."""
        return self.graph.tensors[tensor]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor; `()` where it is unknown."""
        return self.graph.tensors[tensor].shape or () if tensor >= 0 else ()

    def producer(self, tensor: int) -> Step | None:
        """The step that writes the tensor; None for inputs and constants."""
        return self._producer.get(tensor)

    def readers(self, tensor: int) -> list[Step]:
        """The steps that read the tensor."""
        return self._readers.get(tensor, [])

    def is_constant(self, tensor: int) -> bool:
        """Whether the tensor is known when the model is loaded."""
        return tensor in self.constant

    def sole_reader(self, step: Step) -> Step | None:
        """The one step that reads this step's only result, where no other needs it."""
        outputs = step.outputs
        if len(outputs) != 1 and sum([tensor >= 0 for tensor in outputs]) != 1:
            return None
        readers = self._readers.get(outputs[0], ())
        return readers[0] if len(readers) == 1 and outputs[0] not in self.results else None

    def fold(self, step: Step) -> None:
        """The runtime computes the step once, when it loads the model."""
        self._forget(step)
        self.constant.update(tensor for tensor in step.outputs if tensor >= 0)
        self.free.update(step.nodes)

    def bypass(self, step: Step, source: int) -> None:
        """The step vanishes: who read its first output reads the tensor `source`."""
        gone = step.outputs[0]
        self._forget(step)
        self.free.update(step.nodes)
        if self.is_constant(source):
            self.constant.add(gone)
        self._redirect(gone, source)

    def unify(self, step: Step, other: Step) -> None:
        """The step vanishes: who read its outputs reads those of the other step, which computes the same."""
        self._forget(step)
        self.free.update(step.nodes)
        for gone, source in zip(step.outputs, other.outputs, strict=True):
            if gone >= 0 and source >= 0:
                self._redirect(gone, source)

    def _redirect(self, gone: int, source: int) -> None:
        for reader in self._readers.pop(gone, []):
            reader.inputs = [source if tensor == gone else tensor for tensor in reader.inputs]
            if reader not in self._readers.setdefault(source, []):
                self._readers[source].append(reader)
        if gone in self.results:
            self.results.add(source)

    def replace(self, step: Step, operator: str, inputs: list[int], outputs: list[int] | None = None) -> None:
        """The step becomes another operator that reads these tensors, and writes these where they are given."""
        self._forget(step)
        step.operator, step.inputs = operator, inputs
        step.outputs = step.outputs if outputs is None else outputs
        self._add(step)

    def discard_unread(self, step: Step) -> None:
        """The step vanishes if no step reads its results."""
        if step.alive and not any(
            self.readers(tensor) or tensor in self.results for tensor in step.outputs if tensor >= 0
        ):
            self._forget(step)
            self.free.update(step.nodes)

    def join(self, steps: list[Step], operator: str, source: int) -> None:
        """Steps that read the same become one that writes all their results."""
        for step in steps:
            self._forget(step)
        first = steps[0]
        first.operator, first.inputs = operator, [source]
        first.outputs = [step.outputs[0] for step in steps]
        first.nodes = sorted(index for step in steps for index in step.nodes)
        first.position = first.nodes[-1]
        self._add(first)

    def merge(self, steps: list[Step], *, main: Step, last: Step, operator: str | None = None) -> Step:
        """Make one step of several; `main` gives attributes and first inputs, `last` the outputs."""
        written: set[int] = set()
        read, nodes = list(main.inputs), []
        for step in steps:
            self._forget(step)
            written.update(step.outputs)
            nodes += step.nodes
            if step is not main:
                read += step.inputs
        nodes.sort()
        main.inputs = [tensor for tensor in read if tensor not in written or tensor < 0]
        main.outputs = list(last.outputs)
        main.nodes, main.position = nodes, nodes[-1]
        main.operator = operator or main.operator
        self._add(main)
        return main


_position = attrgetter("position")
