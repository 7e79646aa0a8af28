"""Tables of networks, put together out of tables of their parts.

Rules of fusion look at neighbours, layouts spread from step to step, and a graph's parameters and its largest result
are a sum and a maximum. So where a part is cut off such that no rule reaches across (`_is_clean_in`, `_is_clean_out`),
its kernels depend on the part alone and on the layout of what it reads, and the table of the whole is that of its
parts, with the graph's two sizes filled in: the same numbers, to the last bit, as those of the whole graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Graph, Node, UnsupportedGraphError
from predictors.features.kernels.cost.work import CALL
from predictors.features.kernels.rewrite.layout import Border
from predictors.features.kernels.table import KernelTable, column_places, part_kernels, stack_tables, table_of
from predictors.features.kernels.traits import Level, RewriteRules
from predictors.networks import Feature
from profilers.search_spaces.chains import SET_APART

__all__ = [
    "BLOCKED",
    "CONVERTED",
    "KERNELS_OF_PART",
    "ChainTable",
    "PartTable",
    "layout_code",
    "part_feature",
    "parts_within",
    "read_part",
]

Floats = NDArray[np.float64]

KERNELS_OF_PART = "kernels_of_part"
"""Name of the feature; rules come after it, the layouts of what the part reads, and whether it is the last one."""
BLOCKED, CONVERTED = 1, 2
"""The layout of a tensor that a part reads: whether it is in channel blocks; whether it is in the other, too."""
_LAYOUT_BITS = 2

_READERS = {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool"}
"""Operators that no rule merges with what makes their data, unless that is one that `_MAKERS` leaves out."""
_BESIDE = {"Add"}
"""Operators that are merged with the maker of their data only where nothing else reads it."""
_READERS_APART = {*_READERS, "Add", "Mul", "Relu"}
"""Operators that are joined with what makes their data only where they alone read it."""
_MAKERS = {
    "Add", "AveragePool", "BatchNormalization", "Clip", "Conv", "Elu", "GlobalAveragePool", "HardSigmoid", "HardSwish",
    "LeakyRelu", "MaxPool", "Mul", "Relu", "Sigmoid", "Softplus", "Tanh",
}  # fmt: skip
"""Operators behind which no rule looks for one of `_READERS`, as it does behind a Pad, a Transpose or a view."""
_GRAPH_BYTES, _LARGEST = column_places(("graph_parameter_bytes", "graph_activation_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartTable:
    """The kernels of one part of a network. It is itself and equal to no other, so that what is known of it is found.

    Args:
        table: of the part by itself.
        shape: of what it gives.
        gives_blocks: whether that is in channel blocks.
        flops: of its nodes.
        size: its nodes.
        converts: places among its inputs of those that were not there in the other layout, and are behind it.

    Attributes:
        operators: names of its kernels' operators.
        parameter_bytes: of its parameters.
        largest_bytes: of its largest result.
    """

    table: KernelTable
    shape: tuple[int, ...]
    gives_blocks: bool
    flops: int
    size: int
    converts: tuple[int, ...] = ()
    operators: frozenset[str] = field(init=False, repr=False)
    parameter_bytes: float = field(init=False, repr=False)
    largest_bytes: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        first = self.table.values[0]
        object.__setattr__(self, "operators", frozenset(self.table.operators))
        object.__setattr__(self, "parameter_bytes", float(first[_GRAPH_BYTES]))
        object.__setattr__(self, "largest_bytes", float(first[_LARGEST]))

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes in memory, about."""
        return self.table.size_bytes + 800


class ChainTable:
    """The kernels of a network that is put together, as those of its parts.

    Args:
        parts: in order, at least one.

    Attributes:
        parameter_bytes: of the network.
        largest_bytes: of its largest result.
    """

    __slots__ = ("largest_bytes", "parameter_bytes", "parts")

    def __init__(self, parts: Sequence[PartTable]) -> None:
        self.parts = tuple(parts)
        self.parameter_bytes = sum([part.parameter_bytes for part in self.parts])
        self.largest_bytes = max([part.largest_bytes for part in self.parts])

    @property
    def operators(self) -> frozenset[str]:
        """Names of its kernels' operators."""
        return frozenset().union(*{part.operators for part in self.parts})

    def whole(self) -> KernelTable:
        """The table of the network, as `kernel_table` gives it."""
        count = len(self.parts)
        table = parts_within(self.parts, np.full(count, self.parameter_bytes), np.full(count, self.largest_bytes))
        begins = np.diff(table.graph, prepend=0) > 0
        table = table.pick(np.flatnonzero(~begins))  # the call of the whole is that of its first part
        return replace(table, graph=np.zeros(len(table), dtype=np.int64))


def parts_within(parts: Sequence[PartTable], parameter_bytes: Floats, largest_bytes: Floats) -> KernelTable:
    """The kernels of parts in networks of these sizes, a call before those of each; `graph` counts the parts.

    Args:
        parts: n of them, one at least; the same may come several times.
        parameter_bytes: float64 (n,), of each network's parameters.
        largest_bytes: float64 (n,), of its largest result.
    """
    places = {part: place for place, part in enumerate(dict.fromkeys(parts))}
    each = stack_tables([part.table for part in places])
    lengths = np.array([len(part.table) for part in places])
    starts, which = np.cumsum(lengths) - lengths, np.array([places[part] for part in parts])
    counts = lengths[which]
    graph = np.repeat(np.arange(len(parts)), counts)
    inside = np.arange(len(graph)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = replace(each.pick(np.repeat(starts[which], counts) + inside), graph=graph)
    table.values[:, _GRAPH_BYTES], table.values[:, _LARGEST] = parameter_bytes[graph], largest_bytes[graph]
    return table


def layout_code(layouts: Sequence[int]) -> int:
    """One number for the layouts of what a part reads, each a sum of `BLOCKED` and `CONVERTED`."""
    return sum([layout << _LAYOUT_BITS * place for place, layout in enumerate(layouts)])


def part_feature(kernels: Feature, *, layouts: int, last: bool) -> Feature:
    """The name of a part's feature, as another process is asked for it.

    Args:
        kernels: the feature of the whole network's kernels.
        layouts: of what it reads, see `layout_code`.
        last: no part comes after it.
    """
    return (KERNELS_OF_PART, *kernels[1:], layouts, int(last))


def read_part(graph: Graph, rules: RewriteRules, *, layouts: int = 0, last: bool) -> PartTable:
    """The kernels of a part, whose inputs are what parts before it give.

    Args:
        graph: of the part.
        rules: by which a runtime rewrites the whole.
        layouts: of its inputs, see `layout_code`.
        last: no part comes after it.

    Raises:
        UnsupportedGraphError: the kernels of the whole may be others than those of its parts.
    """
    (result,) = graph.outputs
    shape = graph.tensors[result].shape
    if rules.precision != "fp32" or not _is_plain(graph) or shape is None:
        raise _not_apart("it is not in float32 throughout")
    given = [(source, layouts >> _LAYOUT_BITS * place) for place, source in enumerate(graph.inputs)]
    before = {source for source, layout in given if layout & CONVERTED}
    border = Border(
        blocked={source for source, layout in given if layout & BLOCKED},
        handed_on=frozenset() if last else frozenset({result}),
        converted=set(before),
    )
    kernels, plan = part_kernels(graph, rules, border)
    if not kernels or not _begins_apart(graph, rules):
        raise _not_apart("what it begins with may be joined with what comes before it")
    if not last and not (_is_clean_out(graph, result) and plan.producer(result) is not None):
        raise _not_apart("what it ends with may be joined with what comes after it")
    table = table_of([CALL, *kernels])
    if table.warm.any():
        raise _not_apart("it reads parameters repeatedly")
    converted = border.converted - before
    return PartTable(
        table=table,
        shape=shape,
        gives_blocks=result in border.blocked,
        flops=graph.flops,
        size=graph.size,
        converts=tuple(place for place, source in enumerate(graph.inputs) if source in converted),
    )


def _not_apart(why: str) -> UnsupportedGraphError:
    return UnsupportedGraphError(f"The kernels of this part of a network depend on its neighbours: {why}.")


def _is_plain(graph: Graph) -> bool:
    """Without halves, numbers of a few bits, bodies, and sizes that values decide."""
    allowed = {"float32", "int64"}
    return all(item.dtype in allowed and item.shape is not None for item in graph.tensors) and not any(
        node.bodies or node.domain for node in graph.nodes
    )


def _begins_apart(graph: Graph, rules: RewriteRules) -> bool:
    """Whether nothing that reads the part's inputs is joined with what makes them."""
    if not all(graph.tensors[source].name.startswith(SET_APART) for source in graph.inputs):
        return len(graph.inputs) == 1 and _is_clean_in(graph, graph.inputs[0])
    # OpenVINO joins by the order of steps, too, which parts do not have among each other. Where the same of the same is
    # computed twice, parts that say how often do not say who reads which.
    if rules.joins_chains or rules.level < Level.BASIC:
        return False
    return all(
        _reads_data(node, source) and node.operator in _READERS_APART and source not in graph.outputs
        for source in graph.inputs
        for node in graph.nodes
        if source in node.inputs
    )


def _is_clean_in(graph: Graph, source: int) -> bool:
    readers = [node for node in graph.nodes if source in node.inputs]
    names = {node.operator for node in readers}
    alone = all(_reads_data(node, source) for node in readers)
    return bool(names & _READERS) and names <= _READERS | _BESIDE and alone and source not in graph.outputs


def _is_clean_out(graph: Graph, result: int) -> bool:
    if any(result in node.inputs for node in graph.nodes):
        return False
    return any(result in node.outputs and node.operator in _MAKERS for node in graph.nodes)


def _reads_data(node: Node, source: int) -> bool:
    """Whether a node that convolves or pools reads the tensor as its data, not as its weights."""
    return node.operator not in _READERS or source not in node.inputs[1:]
