"""The working state of fusion: steps that each will be one kernel, and who reads what.

A `Step` starts as one node. Rules (see `fusion` and `layout`) merge steps, drop those that cost nothing, and mark the
tensors that a runtime computes once, when it loads the model. What is left is what the runtime executes.

Rules may visit every step, and a step may take in all others one by one. No operation here therefore looks at all that
a step has taken in so far: the larger of two lists is kept and the smaller one added to it.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Set
from itertools import chain
from operator import attrgetter

from latcast.schema import Attribute, Graph, ModelLimitError, Node, TensorSpec

__all__ = ["MOST_STEPS", "FusionPlan", "Step", "is_trained"]

MOST_STEPS = 1_000_000
"""Nodes at most of one graph that is fused: ten times what a file may have, for quantising writes several for one."""
_NARROW = 8
"""Inputs up to which a list is searched from its beginning."""


class _Inputs:
    """What a step reads. Merging may hand it to another step, as a whole.

    Args:
        owner: the step.
        tensors: in order; -1 for omitted ones.
    """

    __slots__ = ("_before", "_places", "_tensors", "owner")

    def __init__(self, owner: "Step", tensors: list[int]) -> None:
        self.owner, self._tensors = owner, tensors
        self._before: list[int] = []
        """Tensors that come before the others, the last one first."""
        self._places: dict[int, list[int]] | None = None
        """Where each tensor stands, of wide inputs."""

    def __len__(self) -> int:
        return len(self._before) + len(self._tensors)

    @property
    def tensors(self) -> list[int]:
        """The tensors in order."""
        if self._before:
            self._tensors, self._before = [*reversed(self._before), *self._tensors], []
        return self._tensors

    def without(self, written: Set[int]) -> None:
        """Leave these tensors out, but for omitted ones."""
        self._tensors = [tensor for tensor in self.tensors if tensor not in written or tensor < 0]
        self._places = None

    def put_before(self, tensors: list[int]) -> None:
        """Add tensors in front."""
        self._before.extend(reversed(tensors))
        self._places = None

    def put_behind(self, tensors: list[int]) -> None:
        """Add tensors at the end."""
        self._tensors.extend(tensors)
        self._places = None

    def exchange(self, gone: int, source: int) -> None:
        """Read another tensor in the place of one."""
        tensors = self.tensors
        if len(tensors) <= _NARROW:
            self._tensors = [source if tensor == gone else tensor for tensor in tensors]
            return
        if self._places is None:
            self._places = {}
            for place, tensor in enumerate(tensors):
                self._places.setdefault(tensor, []).append(place)
        moved = self._places.pop(gone, [])
        for place in moved:
            tensors[place] = source
        self._places.setdefault(source, []).extend(moved)


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
        "_nodes",
        "_reads",
        "_sorted",
        "activations",
        "alive",
        "attributes",
        "blocked",
        "channels_first",
        "main",
        "operator",
        "outputs",
        "position",
        "residual",
    )

    def __init__(self, index: int, node: Node, inputs: list[int]) -> None:
        self._nodes, self._sorted = [index], True
        self.main, self.position, self.alive = index, index, True
        self.operator = node.operator
        self.attributes: Mapping[str, Attribute] = node.attributes
        self._reads, self.outputs = _Inputs(self, inputs), list(node.outputs)
        self.activations: list[str] = []
        self.residual = self.blocked = self.channels_first = False

    @property
    def nodes(self) -> list[int]:
        """Indices of the nodes that the step covers, ascending; not to be changed."""
        if not self._sorted:
            self._nodes.sort()
            self._sorted = True
        return self._nodes

    @property
    def inputs(self) -> list[int]:
        """Tensors that the step reads, -1 for omitted ones."""
        return self._reads.tensors

    @inputs.setter
    def inputs(self, tensors: list[int]) -> None:
        self._reads._tensors, self._reads._before, self._reads._places = tensors, [], None

    def take_nodes(self, other: "Step") -> None:
        """Cover the nodes of another step, which keeps none."""
        small, large = sorted((self._nodes, other._nodes), key=len)
        large.extend(small)
        self._nodes, other._nodes, self._sorted, other._sorted = large, [], False, True

    def take_activations(self, other: "Step") -> None:
        """Add another step's activations, which keeps none."""
        small, large = sorted((self.activations, other.activations), key=len)
        large.extend(small)
        self.activations, other.activations = large, []

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


def is_trained(step: Step) -> bool:
    """Whether a BatchNormalization or Dropout computes what it does in training."""
    return bool(step.integer("training_mode", 0))


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

    def __init__(self, graph: Graph, constants_outside: Container[str] = frozenset()) -> None:
        self.graph = graph
        self.constant: set[int] = set(graph.initializers)
        self.constant.update(tensor for tensor in graph.outer if graph.tensors[tensor].name in constants_outside)
        self.results = set(graph.outputs)
        self.free: set[int] = set()
        self.apart: set[int] = set()
        self._producer: dict[int, Step] = {}
        self._readers: dict[int, dict[_Inputs, None]] = {}
        self._all: list[Step] = []
        self._by_operator: dict[str, list[Step]] = {}
        self._changed = False
        if len(graph.nodes) > MOST_STEPS:
            raise ModelLimitError("steps", allowed=MOST_STEPS, found=f"{len(graph.nodes):,} to fuse")
        for index, node in enumerate(graph.nodes):
            step = Step(index, node, list(node.inputs))
            self._all.append(step)
            self._add(step)

    def _add(self, step: Step) -> None:
        self._write(step)
        self._read(step._reads, step.inputs)

    def _write(self, step: Step) -> None:
        step.alive = self._changed = True
        for tensor in step.outputs:
            if tensor >= 0:
                self._producer[tensor] = step

    def _read(self, reads: _Inputs, tensors: Iterable[int]) -> None:
        for tensor in tensors:
            if tensor >= 0:
                self._readers.setdefault(tensor, {})[reads] = None

    def _forget(self, step: Step) -> None:
        self._forget_outputs(step)
        self._forget_inputs(step)

    def _forget_outputs(self, step: Step) -> None:
        step.alive, self._changed = False, True
        for tensor in step.outputs:
            self._producer.pop(tensor, None)

    def _forget_inputs(self, step: Step) -> None:
        for tensor in step.inputs:
            self._readers.get(tensor, {}).pop(step._reads, None)

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

    def readers(self, tensor: int) -> Iterator[Step]:
        """The steps that read the tensor; the plan may not be changed meanwhile."""
        return (reads.owner for reads in self._readers.get(tensor, ()))

    def count_readers(self, tensor: int) -> int:
        """How many steps read the tensor."""
        return len(self._readers.get(tensor, ()))

    def reads(self, step: Step, tensors: set[int]) -> bool:
        """Whether the step reads any of these tensors."""
        if len(step._reads) <= len(tensors):
            return not tensors.isdisjoint(step.inputs)
        return any(step._reads in self._readers.get(tensor, ()) for tensor in tensors)

    def is_constant(self, tensor: int) -> bool:
        """Whether the tensor is known when the model is loaded."""
        return tensor in self.constant

    def sole_reader(self, step: Step) -> Step | None:
        """The one step that reads this step's only result, where no other needs it."""
        outputs = step.outputs
        readers: Collection[_Inputs] = self._readers.get(outputs[0], ()) if outputs else ()
        if len(readers) != 1 or outputs[0] in self.results:
            return None
        if len(outputs) != 1 and sum([tensor >= 0 for tensor in outputs]) != 1:
            return None
        return next(iter(readers)).owner

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
        readers = self._readers.pop(gone, {})
        for reads in readers:
            reads.exchange(gone, source)
        if source >= 0 and readers:
            self._readers.setdefault(source, {}).update(readers)
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
            self.count_readers(tensor) or tensor in self.results for tensor in step.outputs if tensor >= 0
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
        first.position = max(step.position for step in steps)
        for step in steps[1:]:
            first.take_nodes(step)
        self._add(first)

    def merge(self, steps: list[Step], *, main: Step, last: Step, operator: str | None = None) -> Step:
        """Make one step of several; `main` gives attributes and first inputs, `last` the outputs."""
        written = {tensor for step in steps for tensor in step.outputs}
        outputs, position = list(last.outputs), max(step.position for step in steps)
        for step in steps:
            self._forget_outputs(step)
            if self.reads(step, written):
                self._forget_inputs(step)
                step._reads.without(written)
                self._read(step._reads, step.inputs)
        for step in steps:
            if step is not main:
                main.take_nodes(step)
                self._take_inputs(main, step)
        main.outputs, main.position = outputs, position
        main.operator = operator or main.operator
        self._write(main)
        return main

    def _take_inputs(self, main: Step, other: Step) -> None:
        """Let the main step read what the other one does, behind its own inputs; the shorter list is moved."""
        kept, moved = main._reads, other._reads
        if len(kept) >= len(moved):
            tensors = moved.tensors
            kept.put_behind(tensors)
        else:
            kept, moved = moved, kept
            tensors = moved.tensors
            kept.put_before(tensors)
        for tensor in tensors:
            self._readers.get(tensor, {}).pop(moved, None)
        self._read(kept, tensors)
        main._reads, kept.owner = kept, main
        other._reads = _Inputs(other, [])


_position = attrgetter("position")
