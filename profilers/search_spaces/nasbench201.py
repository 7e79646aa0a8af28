"""NAS-Bench-201: 15,625 cells in one macro-architecture (Dong & Yang, ICLR 2020, https://arxiv.org/abs/2001.00326)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial, reduce
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np

from latcast.schema import Architecture, InvalidArchitectureError
from latcast.schema.counting import counted
from profilers.search_spaces.base import Encoding, Position, SearchSpace
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.cell_parts import CellNumbering, Operation, Piece, Recording, pieces_of
from profilers.search_spaces.chains import Chain, Part
from profilers.search_spaces.errors import invalid
from profilers.search_spaces.indices import IndexOrder, read_indices
from profilers.search_spaces.layers import (
    activation,
    add,
    avg_pool,
    batch_norm,
    conv,
    flatten,
    global_pool,
    linear,
)

__all__ = ["EDGES", "INDEX_ORDERS", "OPERATORS", "NASBench201"]

OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operators in the paper's order; `encode` counts in it."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from node, to node) of the cell's six edges in the order of the text; node 0 is its input, node 3 its output."""

NASLIB = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
INDEX_ORDERS = (
    IndexOrder(
        "nasbench201",
        "NAS-Bench-201's own order, which HELP, HW-NAS-Bench and LatBench have, too: the edges as in its text",
        OPERATORS,
        range(len(EDGES)),
    ),
    IndexOrder(
        "naslib", "NASLib's order, also of NAS-Bench-Suite-Zero: the edges by their source", NASLIB,
        [EDGES.index(edge) for edge in sorted(EDGES)],
    ),
)  # fmt: skip
"""The orders in which published code lists a cell as six indices."""

NODES = 4
STAGE_CHANNELS = (16, 32, 64)
CELLS_PER_STAGE = 5
CLASSES = 10
IMAGE_SHAPE = (1, 3, 32, 32)
TOKEN = re.compile(r"([a-z0-9_]+)~([0-9])")

Operators = tuple[int, ...]
"""Six indices into OPERATORS, one for each edge."""


class NASBench201(SearchSpace):
    """Cells of four nodes and six edges, each with one of five operators, in the CIFAR-10 macro-architecture.

    Text: as the benchmark writes it, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: for each node after the first, its
    incoming edges as operator and source node. Six indices of operators (`nasbench201:4,0,3,1,4,3`, `naslib:403143`)
    are read, too, without the name of who counts so where all of `INDEX_ORDERS` mean the same cell.

    Graph: 3 × 32 × 32 images, batch size 1; stem convolution to 16 channels; three stages of five cells with 16, 32 and
    64 channels; residual blocks of stride 2 between the stages; batch normalisation, ReLU, global average pooling, a
    linear layer to 10 classes. Convolutions are ReLU–Conv–BN. As an exporter would write it: `none` edges add nothing,
    and what the output does not need is not there. A node without any input is its cell's input times zero.

    `encode` gives
        operators: int64 (6,), index into OPERATORS for each edge.
        one_hot: float32 (6, 5), the same.
        live: float32 (6,), 1 where the edge lies on a path of edges other than `none` from input to output.
        canonical: int64 (6,), operators after dead-edge removal.
        canonical_one_hot: float32 (6, 5), the same.
        adjacency: float32 (8, 8), edges between operator nodes: input, the six operators, output (row feeds column).
        degenerate: float32 (1,), 1 where the input never reaches the output.
    """

    name: ClassVar[str] = "nasbench201"
    aliases: ClassVar[tuple[str, ...]] = ("nb201", "nas201", "natsbench", "natsbench_tss")
    size: ClassVar[int | None] = len(OPERATORS) ** len(EDGES)
    example: ClassVar[str] = (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    )

    def parse(self, text: str) -> Architecture:
        """The architecture; the text is its own normal form, and that of six indices the cell's.

        Raises:
            InvalidArchitectureError: not a cell's text, or indices that mean several cells; says how to tell which.
        """
        if not text.startswith("|") and (operators := _of_indices(text)) is not None:
            return Architecture(space=self.name, text=_text(operators))
        _operators(text)
        return Architecture(space=self.name, text=text)

    def all(self) -> Iterator[str]:
        """All 15,625 texts, the last edge varying fastest."""
        return (_text(operators) for operators in product(range(len(OPERATORS)), repeat=len(EDGES)))

    def index(self, text: str) -> int:
        """Position of a text in `all`, without enumerating."""
        return int(np.ravel_multi_index(_operators(text), (len(OPERATORS),) * len(EDGES)))

    def at(self, index: int) -> Architecture:
        """The architecture at a position of `all`."""
        operators = np.unravel_index(index, (len(OPERATORS),) * len(EDGES))
        return Architecture(space=self.name, text=_text([int(operator) for operator in operators]))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over the cells whose input reaches their output."""
        while True:
            architecture = self.at(int(rng.integers(len(OPERATORS) ** len(EDGES))))
            if not self.is_degenerate(architecture):
                return architecture

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """The 24 cells that differ in the operator of one edge."""
        operators = _operators(architecture.text)
        for edge, current in enumerate(operators):
            for other in range(len(OPERATORS)):
                if other != current:
                    text = _text([*operators[:edge], other, *operators[edge + 1 :]])
                    yield Architecture(space=self.name, text=text)

    def encode(self, architecture: Architecture) -> Encoding:
        """Arrays as the class describes them."""
        operators = _operators(architecture.text)
        canonical, live = _prune(operators), _live(operators)
        one_hot = np.eye(len(OPERATORS), dtype=np.float32)
        return {
            "operators": np.array(operators, np.int64),
            "one_hot": one_hot[list(operators)],
            "live": np.array(live, np.float32),
            "canonical": np.array(canonical, np.int64),
            "canonical_one_hot": one_hot[list(canonical)],
            "adjacency": ADJACENCY.copy(),
            "degenerate": np.array([not any(live)], np.float32),
        }

    def positions(self) -> tuple[Position, ...]:
        """The six edges."""
        return tuple(Position(f"edge {source}-{node}", OPERATORS) for source, node in EDGES)

    def choices(self, architecture: Architecture) -> tuple[int, ...]:
        """Indices into OPERATORS."""
        return _operators(architecture.text)

    def from_choices(self, codes: Sequence[int]) -> Architecture:
        """The cell with these operators."""
        return Architecture(space=self.name, text=_text(codes))

    def to_onnx(self, architecture: Architecture) -> bytes:
        """The whole network, opset 17, weights as placeholders."""
        operators = _operators(architecture.text)
        net = GraphBuilder(self.name)
        compute = _recorder(net)
        x = net.input("image", IMAGE_SHAPE)
        net.output(_record_network(net, x, lambda value: _evaluate(operators, value, compute)))
        return net.to_bytes()

    def parts(self, architecture: Architecture) -> Chain | None:
        """The network cut within its cells; in one part for the few cells of which parts would go beyond one."""
        operators = _operators(architecture.text)
        cell = _cell_parts(operators)
        if cell is None:
            return Chain(IMAGE_SHAPE, [_whole_network(_every_operation(operators))])
        parts = [Part(cell.stem, cell.stem)]
        last = len(STAGE_CHANNELS) - 1
        for stage in range(len(STAGE_CHANNELS)):
            if stage:
                reduction = cell.last_reduction if stage == last else cell.reduction
                parts.append(Part(reduction, reduction, (len(parts) - 1,)))
            end = cell.before_head if stage == last else cell.before_reduction
            for recordings in [cell.inside] * (CELLS_PER_STAGE - 1) + [end]:
                start = len(parts)
                parts += [
                    Part(recording, recording, tuple([start + source for source in sources]))
                    for recording, sources in zip(recordings, cell.sources, strict=True)
                ]
        return Chain(IMAGE_SHAPE, parts)

    def is_degenerate(self, architecture: Architecture) -> bool:
        """Whether no path of edges other than `none` leads from input to output (341 cells)."""
        return not any(_live(_operators(architecture.text)))

    def canonical(self, text: str) -> str:
        """The text with every edge `none` that lies on no path from input to output: 9,445 distinct ones.

        Edges that are `none` already break paths; `skip_connect` edges stay, and isomorphic cells stay distinct.
        """
        return _text(_prune(_operators(text)))

    def network(self, text: str) -> str:
        """The canonical text; of two isomorphic ones, whose inner nodes stand in another order, the first."""
        pruned = _prune(_operators(text))
        first, second, between, straight, third, fourth = pruned
        if between:
            return _text(pruned)
        return _text(min(pruned, (second, first, between, straight, fourth, third)))


@lru_cache(maxsize=32768)
def _operators(text: str) -> Operators:
    """Reads left to right, so that an error names the place."""
    operators, position = [], 0
    for edge, (source, node) in enumerate(EDGES):
        lead = "|" if edge == 0 else "|+|" if EDGES[edge - 1][1] != node else "|"
        position = _expect(text, position, lead)
        token = TOKEN.match(text, position)
        if token is None or token[1] not in OPERATORS:
            written = token[1] if token else text[position : position + 12]
            raise _invalid(text, position, f"found {written!r} instead of an operator ({', '.join(OPERATORS)})")
        if token[2] != str(source):
            raise _invalid(text, token.start(2), f"edge {edge + 1} must come from node {source}, not {token[2]}")
        operators.append(OPERATORS.index(token[1]))
        position = token.end()
    if (end := _expect(text, position, "|")) != len(text):
        raise _invalid(text, end, "the cell is complete but the text goes on")
    return tuple(operators)


def _of_indices(text: str) -> Operators | None:
    """The operators of a cell that is written as indices; None where the text is something else.

    Raises:
        InvalidArchitectureError: too few, too many or too large ones, or ones that mean several cells.
    """
    prefix, colon, rest = text.partition(":")
    if (indices := read_indices(rest if colon else text)) is None:
        return None
    letters = "".join(filter(str.isalnum, prefix.lower()))
    orders = [order for order in INDEX_ORDERS if not colon or order.name == letters]
    if not orders:
        names = " or ".join(f"{order.name}:" for order in INDEX_ORDERS)
        raise _invalid(text, 0, f"the order of indices is {prefix.strip()[:40]!r} rather than {names}")
    if len(indices) != len(EDGES):
        drops = "; spreadsheets drop zeros at the beginning" if len(indices) < len(EDGES) else ""
        raise _invalid(text, 0, f"it lists {counted(len(indices), 'index', 'indices')} instead of {len(EDGES)}{drops}")
    if max(indices) >= len(OPERATORS):
        raise _invalid(text, 0, f"the index {max(indices)} is none of the {len(OPERATORS)} operators, 0 to 4")
    readings = {order.read(indices, OPERATORS): order for order in orders}
    if len(readings) > 1:
        raise _ambiguous(indices, readings)
    return next(iter(readings))


def _ambiguous(indices: Sequence[int], readings: Mapping[Operators, IndexOrder]) -> InvalidArchitectureError:
    text = ",".join(map(str, indices))
    cells = "; ".join(
        f"in {order.about}, and the operators are {', '.join(order.operators)}, it is {_text(operators)!r}"
        for operators, order in readings.items()
    )
    written = " or ".join(f"{f'{order.name}:{text}'!r}" for order in readings.values())
    return InvalidArchitectureError(
        f"{text!r} may be one of {len(readings)} cells: {cells}. Write {written}; for all of a table that is imported, "
        "--order says which."
    )


def _expect(text: str, position: int, lead: str) -> int:
    if not text.startswith(lead, position):
        raise _invalid(text, position, f"{lead!r} is missing")
    return position + len(lead)


def _invalid(text: str, position: int, problem: str) -> Exception:
    return invalid(NASBench201.name, text, position, problem, NASBench201.example)


def _text(operators: Sequence[int]) -> str:
    parts = [f"{OPERATORS[operator]}~{source}" for (source, _), operator in zip(EDGES, operators, strict=True)]
    return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"


def _live(operators: Operators) -> tuple[bool, ...]:
    """Whether each edge lies on a path from input to output; EDGES is in topological order."""
    reached, needed = {0}, {NODES - 1}
    for (source, node), operator in zip(EDGES, operators, strict=True):
        if operator and source in reached:
            reached.add(node)
    for (source, node), operator in zip(reversed(EDGES), reversed(operators), strict=True):
        if operator and node in needed:
            needed.add(source)
    pairs = zip(EDGES, operators, strict=True)
    return tuple(bool(operator) and source in reached and node in needed for (source, node), operator in pairs)


def _prune(operators: Operators) -> Operators:
    return tuple(operator if live else 0 for operator, live in zip(operators, _live(operators), strict=True))


def _adjacency() -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Edges become nodes 1 to 6 between input 0 and output 7 (as BRP-NAS and HELP encode cells)."""
    ends = [(-1, 0), *EDGES, (NODES - 1, NODES)]
    matrix = [[float(first[1] == second[0]) for second in ends] for first in ends]
    return np.array(matrix, np.float32)


ADJACENCY = _adjacency()


def _needed_nodes(operators: Operators) -> set[int]:
    """Nodes whose values the output depends on, whether or not the input reaches them."""
    needed = {NODES - 1}
    for (source, node), operator in zip(reversed(EDGES), reversed(operators), strict=True):
        if operator and node in needed:
            needed.add(source)
    return needed


Compute = Callable[..., Any]


def _evaluate(operators: Operators, x: Any, compute: Compute) -> Any:
    """The cell's result, as `compute(operation, *values)` computes it from its input."""
    values = {0: x}
    for node in sorted(_needed_nodes(operators) - {0}):
        edges = zip(EDGES, operators, strict=True)
        terms = [_edge(values[source], OPERATORS[op], compute) for (source, end), op in edges if end == node and op]
        values[node] = reduce(partial(compute, "add"), terms) if terms else compute("zero", x)
    return values[NODES - 1]


def _edge(x: Any, operator: str, compute: Compute) -> Any:
    if operator == "skip_connect":
        return x
    return compute(operator, x if operator == "avg_pool_3x3" else compute("relu", x))


def _conv_norm(net: GraphBuilder, x: Tensor, channels: int, kernel: int = 3, stride: int = 1) -> Tensor:
    return batch_norm(net, conv(net, x, channels, kernel, stride=stride, bias=False))


def _relu(net: GraphBuilder, x: Tensor) -> Tensor:
    return activation(net, x, "relu")


def _reduction(net: GraphBuilder, x: Tensor) -> Tensor:
    """Residual block of stride 2 and twice the channels; its shortcut is an average pooling and a 1 × 1 convolution."""
    channels = 2 * x.channels
    y = _conv_norm(net, _relu(net, _conv_norm(net, _relu(net, x), channels, stride=2)), channels)
    return add(net, conv(net, avg_pool(net, x), channels, 1, bias=False), y)


def _head(net: GraphBuilder, x: Tensor) -> Tensor:
    return linear(net, flatten(net, global_pool(net, _relu(net, batch_norm(net, x)))), CLASSES)


RECORD: Mapping[str, Callable[..., Tensor]] = {
    "stem": lambda net, x: _conv_norm(net, x, STAGE_CHANNELS[0]),
    "reduction": _reduction,
    "head": _head,
    "relu": _relu,
    "add": add,
    "zero": lambda net, x: net.op("Mul", [x, net.scalar(0.0)]),
    "nor_conv_1x1": lambda net, x: _conv_norm(net, x, x.channels, 1),
    "nor_conv_3x3": lambda net, x: _conv_norm(net, x, x.channels),
    "avg_pool_3x3": lambda net, x: avg_pool(net, x, 3, 1, 1, count_pad=False),
}
"""How each operation is recorded, and what stands around the cells."""
CONVOLUTIONS = frozenset({"nor_conv_1x1", "nor_conv_3x3"})
JOINED = CONVOLUTIONS | {"add"}
"""Operations that runtimes join with the one that reads their result, as they do no ReLU, pooling or product."""


def _recorder(net: GraphBuilder) -> Callable[..., Tensor]:
    return lambda operation, *values: RECORD[operation](net, *values)


def _record_network(net: GraphBuilder, x: Tensor, cell: Callable[[Tensor], Tensor]) -> Tensor:
    """The network around its cells, of which `cell` records one."""
    compute = _recorder(net)
    x = compute("stem", x)
    for stage in range(len(STAGE_CHANNELS)):
        x = compute("reduction", x) if stage else x
        for _ in range(CELLS_PER_STAGE):
            x = cell(x)
    return compute("head", x)


def _every_operation(operators: Operators) -> tuple[Operation, ...]:
    """The steps that `to_onnx` records of a cell: cells with the same steps are the same network."""
    numbering = CellNumbering(RECORD)
    _evaluate(operators, 0, numbering.compute)
    return tuple(numbering.operations)


@lru_cache(maxsize=1024)
def _whole_network(operations: tuple[Operation, ...]) -> Part:
    cell = Recording(operations, RECORD)

    def build(net: GraphBuilder, x: Tensor) -> Tensor:
        return _record_network(net, x, lambda value: cell(net, value))

    return Part(operations, build)


class _CellParts(NamedTuple):
    """The parts of a cell, by what comes behind it; each part's sources are places among them, or -1: the cell's input.

    Args:
        stem, reduction, last_reduction: what is before a first cell, with the cell's first operation where that
            goes in, or with the head where a cell is nothing.
        sources: of each part.
        inside, before_reduction, before_head: recordings of the parts.
    """

    stem: Recording
    reduction: Recording
    last_reduction: Recording
    sources: Sequence[Sequence[int]] = ()
    inside: Sequence[Recording] = ()
    before_reduction: Sequence[Recording] = ()
    before_head: Sequence[Recording] = ()


@lru_cache(maxsize=8192)
def _recording(operations: tuple[Operation, ...]) -> Recording:
    return Recording(operations, RECORD)


def _cell_parts(operators: Operators) -> _CellParts | None:
    """None for the few cells whose input is read by a sum or a product with zero alone.

    These may be joined with what is before the cell and with what reads them, so that parts would go beyond it.
    """
    numbering = CellNumbering(CONVOLUTIONS)
    _evaluate(operators, 0, numbering.compute)
    operations = numbering.operations
    stem, reduction = (Piece((Operation(name, (0,)),), (0,), 1) for name in ("stem", "reduction"))
    if not operations:  # its input is its result
        return _CellParts(
            stem=_recording(stem.operations),
            reduction=_recording(reduction.operations),
            last_reduction=_recording(reduction.then("head").operations),
        )
    first = [operation for operation in operations if 0 in operation.reads]
    alone = first[0].name if len(first) == 1 else ""
    if alone in {"add", "zero"}:
        return None
    moved = alone == "relu"
    if moved:  # what alone reads a result may be joined with what makes it, and goes to that one's part
        operations = _without(operations, operations.index(first[0]))
    pieces = pieces_of(operations, JOINED)
    *others, last = pieces
    given = {0: -1, **{piece.gives: place for place, piece in enumerate(pieces)}}
    rest = [_recording(piece.operations) for piece in others]

    def begun(piece: Piece) -> Recording:
        return _recording((piece.then("relu", first[0].copies) if moved else piece).operations)

    return _CellParts(
        stem=begun(stem),
        reduction=begun(reduction),
        last_reduction=begun(reduction),
        sources=[[given[value] for value in piece.reads] for piece in pieces],
        inside=[*rest, begun(last)],
        before_reduction=[*rest, _recording(last.operations)],
        before_head=[*rest, _recording(last.then("head").operations)],
    )


def _without(operations: Sequence[Operation], place: int) -> list[Operation]:
    """The cell behind its first operation, whose result takes the place of the input."""
    numbers = [0, *(0 if at == place else at + 1 - (at > place) for at in range(len(operations)))]
    return [
        operation._replace(reads=tuple([numbers[value] for value in operation.reads]))
        for at, operation in enumerate(operations)
        if at != place
    ]
