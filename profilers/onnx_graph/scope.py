"""What walking a graph or body shares and gives: names, the tensors that its `Graph` will list, totals, the outcome."""

from typing import NamedTuple

from latcast.onnx_files.usage import Use
from latcast.schema import Graph, InvalidModelError, TensorSpec
from latcast.schema.articles import with_article
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.outcomes import outcomes
from profilers.onnx_graph.records import make_tensor
from profilers.onnx_graph.shapes.inference import OpsetVersions
from profilers.onnx_graph.trips import Evaluations
from profilers.onnx_graph.values import Value

__all__ = ["Context", "Scope", "Walked"]


class Context:
    """What the walk of one model shares: limits, operator versions, how constants are read, and running totals."""

    def __init__(
        self, limits: Limits, opsets: OpsetVersions, uses: dict[str, Use], *, overridable: frozenset[str] = frozenset()
    ) -> None:
        self.limits, self.opsets, self.uses, self.overridable = limits, opsets, uses, overridable
        self.outcomes = outcomes(opsets)
        self.denormal_weights = self.training_mode = False
        self.evaluations = Evaluations()
        self._constant_bytes = self._weight_bytes = self._nodes = 0

    def count_node(self) -> None:
        """A body whose shapes do not settle at once is walked again, which counts too."""
        self._nodes += 1
        if self._nodes > self.limits.nodes:
            self.limits.check("nodes", self._nodes, "loop bodies are walked twice")

    def check_size(self, value: Value) -> None:
        """Refuse a tensor, or all constants together, above the limits."""
        size, limits = value.size_bytes, self.limits
        if size > limits.tensor_bytes and not value.hollow:
            limits.check("tensor_bytes", size, f"bytes in {value.name!r}")
        if value.dims is not None and len(value.dims) > limits.rank:
            limits.check("rank", len(value.dims), f"dimensions of {value.name!r}")
        if value.hollow:
            self._weight_bytes += size
            limits.check("weight_bytes", self._weight_bytes, "bytes of weights that were left out")
        elif value.constant:
            self._constant_bytes += size
            if self._constant_bytes > limits.constant_bytes:
                limits.check("constant_bytes", self._constant_bytes, "bytes of constants, computed ones included")


class Scope:
    """One graph's names. A body sees the names of the graphs around it; ONNX does not let it hide them."""

    def __init__(self, parent: "Scope | None" = None) -> None:
        self._parent = parent
        self._values: dict[str, Value] = {}
        self._tensors: list[Value] = []
        self._captured: dict[int, int] = {}
        self._overridable: list[Value] = []

    def define(self, value: Value) -> None:
        """A new name.

        Raises:
            InvalidModelError: the name is taken.
        """
        if value.name in self._values or (self._parent is not None and self.find(value.name) is not None):
            raise InvalidModelError(f"The name {value.name!r} is given to two tensors; ONNX wants each name once.")
        self._values[value.name] = value
        if value.overridable:
            self._overridable.append(value)

    def lookup(self, name: str, operator: str = "") -> Value:
        """The value of that name, for a node of this operator or else for the list of outputs.

        Raises:
            InvalidModelError: nobody has defined it so far.
        """
        value = self.find(name)
        if value is None:
            reader = f"{with_article(operator, capital=True)} node" if operator else "The list of outputs"
            raise InvalidModelError(f"{reader} reads {name!r}, which no input, initializer or earlier node gives: the "
                                    "edge dangles, or the graph has a cycle.")  # fmt: skip
        return value

    def find(self, name: str) -> Value | None:
        """The value of that name; None where nobody has defined it so far."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._values:
                return scope._values[name]
            scope = scope._parent
        return None

    def place(self, value: Value) -> int:
        """Index of a value among this graph's tensors; a value of a graph around it becomes an outer one."""
        if self._parent is None or self._values.get(value.name) is value:
            if value.index < 0:
                value.index = len(self._tensors)
                self._tensors.append(value)
            return value.index
        if id(value) not in self._captured:
            if self._parent is not None:
                self._parent.place(value)
            self._captured[id(value)] = len(self._tensors)
            self._tensors.append(value)
        return self._captured[id(value)]

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """All placed values."""
        return tuple([make_tensor(value.name, value.dtype, value.shape) for value in self._tensors])

    @property
    def initializers(self) -> frozenset[int]:
        """Indices of this graph's own constants."""
        outer = set(self.outer)
        return frozenset(at for at, value in enumerate(self._tensors) if value.constant and at not in outer)

    @property
    def outer(self) -> tuple[int, ...]:
        """Indices of what is decided outside: by the graphs around this one, or by whoever overrides an initializer."""
        return (*self._captured.values(), *(value.index for value in self._overridable if value.index >= 0))


class Walked(NamedTuple):
    """A walked graph.

    Args:
        graph: the record.
        outputs: its outputs' values.
        digest: what its hash is made of.
    """

    graph: Graph
    outputs: list[Value]
    digest: bytes
