"""Architectures of search spaces as arrays, for predictors that read cells rather than graphs.

Every array is float32 with one row for each architecture; all architectures of a call are of one space. Encodings are
cached, since searches and benchmarks ask for the same architectures again and again.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, InputError, UnsupportedGraphError
from predictors.base import Query
from profilers.caching import Cache
from profilers.search_spaces import Encoding, get_space
from profilers.search_spaces.nasbench201 import EDGES
from profilers.search_spaces.nasbench201 import OPERATORS as CELL_OPERATORS

__all__ = [
    "FEATURE_VERSION",
    "SPACES",
    "Float32",
    "brp_graph",
    "cell_architectures",
    "help_arrays",
    "layer_one_hot",
    "space_of",
    "trained_share",
]

Float32 = NDArray[np.float32]

FEATURE_VERSION = "cells-1"

SPACES = ("nasbench201", "fbnet", "ofa_mbv3")
"""Search spaces whose architectures can be encoded."""

CACHE_BYTES = 32 * 2**20
"""Most that is kept of each encoding."""
ARRAY_BYTES, ENTRY_BYTES = 112, 400
"""What an array takes beside its values, and an entry beside its arrays, about."""


def cell_architectures(queries: Sequence[Query], space: str | None = None) -> list[Architecture]:
    """The architectures of the queries.

    Args:
        queries: queries with architectures.
        space: search space that the architectures have to be of; any of `SPACES` where left out.

    Raises:
        UnsupportedGraphError: a query has no architecture, or one of another space.
    """
    spaces = (space,) if space else SPACES
    architectures = []
    for query in queries:
        if query.architecture is None or query.architecture.space not in spaces:
            what = f"the space {query.architecture.space!r}" if query.architecture else "a graph without architecture"
            raise UnsupportedGraphError(
                f"This predictor reads architectures of {', '.join(spaces)}, not {what}; use one that reads graphs."
            )
        architectures.append(query.architecture)
    return architectures


def space_of(queries: Sequence[Query]) -> str:
    """The one space that all queries are of.

    Raises:
        UnsupportedGraphError: a query has no architecture, or one of a space that is not among `SPACES`.
        InputError: there are no queries, or they are of several spaces.
    """
    spaces = sorted({architecture.space for architecture in cell_architectures(queries)})
    if len(spaces) != 1:
        raise InputError(
            f"Cell predictors learn from architectures of one search space, found: {', '.join(spaces) or 'none'}."
        )
    return spaces[0]


def layer_one_hot(architectures: Sequence[Architecture]) -> Float32:
    """The operator at each position, one-hot: (n, columns), a block of columns for each position.

    In ofa_mbv3, kernel sizes and expansion ratios count as two positions of each block and the resolution as one more;
    absent blocks have zeros.

    Raises:
        InputError: there are no architectures.
    """
    return _stack(_layer_one_hot, architectures)[0]


def trained_share(trained: NDArray[np.bool_], architectures: Sequence[Architecture]) -> NDArray[np.float64]:
    """Share of each architecture's positions whose operator occurs there in training, float64 (n,).

    Args:
        trained: bool (columns,), the columns of `layer_one_hot` that are not zero throughout the training set.
        architectures: n architectures of one space.
    """
    if not architectures:
        return np.empty(0)
    hot = layer_one_hot(architectures)
    return np.asarray(hot @ trained / hot.sum(axis=1), dtype=np.float64)


def help_arrays(architectures: Sequence[Architecture]) -> tuple[Float32, ...]:
    """The inputs of HELP (its appendix and code): a graph for NAS-Bench-201, a flat vector for chains.

    Returns:
        nasbench201: nodes (n, 9, 8) – input, six operators, output and a global node, one-hot by kind – and adjacency
        (n, 9, 9), where row i marks what node i receives from, itself included.
        fbnet: (n, 132), for each position kernel size (2) and expansion with groups (4), zeros for a skip.
        ofa_mbv3: (n, 145), kernel sizes, expansion ratios and resolution.

    Raises:
        InputError: there are no architectures.
    """
    return _stack(_help_arrays, architectures)


def brp_graph(architectures: Sequence[Architecture]) -> tuple[Float32, Float32]:
    """The inputs of BRP-NAS (its section 3.1 and code): a graph with a global node in front.

    Operators `none` and dead operators are removed, a skip becomes an edge. A row of the adjacency marks the nodes that
    its node sends to, itself included; the global node sends to all. The paper has no chains; in these each node also
    has its position as a feature, since the same block costs differently in each stage.

    Returns:
        nodes (n, v, kinds), adjacency (n, v, v); nasbench201: v = 9, six kinds.

    Raises:
        InputError: there are no architectures.
    """
    nodes, adjacency = _stack(_brp_graph, architectures)
    return nodes, adjacency


Arrays = tuple[Float32, ...]


def _stack(encode: Callable[[Architecture], Arrays], architectures: Sequence[Architecture]) -> Arrays:
    if not architectures:
        raise InputError("There are no architectures to encode.")
    rows = [encode(architecture) for architecture in architectures]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


E = TypeVar("E", Encoding, Arrays)


class _Kept(Generic[E]):
    """An encoding that is made once, and kept while there is room.

    Args:
        encode: makes it.
    """

    def __init__(self, encode: Callable[[Architecture], E]) -> None:
        self._encode: Callable[[Architecture], E] = encode
        self.made: Cache[Architecture, E] = Cache(CACHE_BYTES, weigh=_weight)

    def __call__(self, architecture: Architecture) -> E:
        return self.made.get_or_make(architecture, lambda: self._encode(architecture))


def _weight(encoding: Encoding | Arrays) -> int:
    arrays = encoding if isinstance(encoding, tuple) else encoding.values()
    return ENTRY_BYTES + sum(array.nbytes + ARRAY_BYTES for array in arrays)


@_Kept
def _encoding(architecture: Architecture) -> Encoding:
    return get_space(architecture.space).encode(architecture)


@_Kept
def _layer_one_hot(architecture: Architecture) -> Arrays:
    encoding = _encoding(architecture)
    if architecture.space == "ofa_mbv3":
        return (np.concatenate([encoding[name].reshape(-1) for name in ("kernel", "expansion", "resolution")]),)
    return (encoding["one_hot"].reshape(-1),)


@_Kept
def _help_arrays(architecture: Architecture) -> Arrays:
    match architecture.space:
        case "nasbench201":
            return _help_graph(_encoding(architecture))
        case "fbnet":
            return (_FBNET_BLOCKS[_encoding(architecture)["operators"]].reshape(-1),)
        case _:
            return _layer_one_hot(architecture)


def _help_graph(encoding: Encoding) -> Arrays:
    operators, edges = encoding["operators"], encoding["adjacency"]
    kinds = [0, *(1 + operators), 1 + len(CELL_OPERATORS), 2 + len(CELL_OPERATORS)]
    receives = np.eye(len(edges) + 1, dtype=np.float32)
    receives[:-1, :-1] += edges.T
    receives[-1] = 1
    return np.eye(len(CELL_OPERATORS) + 3, dtype=np.float32)[kinds], receives


_FBNET_BLOCKS: Float32 = np.array(
    [[block < 4, 4 <= block < 8, *(block < 8 and block % 4 == kind for kind in range(4))] for block in range(9)],
    dtype=np.float32,
)
"""HELP's code of each of FBNet's nine blocks."""

_KEPT = (2, 3, 4)
"""NAS-Bench-201 operators that stay nodes in BRP-NAS: two convolutions and the pooling."""


@_Kept
def _brp_graph(architecture: Architecture) -> Arrays:
    encoding = _encoding(architecture)
    match architecture.space:
        case "nasbench201":
            return _brp_cell(encoding)
        case "fbnet":
            return _brp_chain(encoding["one_hot"], encoding["active"].astype(bool), np.zeros(0, np.float32))
        case _:
            blocks = np.hstack([encoding["kernel"], encoding["expansion"]])
            return _brp_chain(blocks, np.asarray(blocks.any(axis=1)), encoding["resolution"])


def _brp_cell(encoding: Encoding) -> Arrays:
    live = encoding["live"].astype(bool)
    operators: NDArray[np.int64] = encoding["operators"]
    present = np.array([True, *(live & np.isin(operators, _KEPT)), True])
    kinds = np.array([len(_KEPT), *(_KEPT.index(op) if op in _KEPT else 0 for op in operators), len(_KEPT) + 1])
    nodes = np.zeros((len(present) + 1, len(_KEPT) + 3), np.float32)
    nodes[1:][present, kinds[present]] = 1
    nodes[0, -1] = 1
    return nodes, _with_global(_fold(operators, live))


def _brp_chain(blocks: Float32, present: NDArray[np.bool_], inputs: Float32) -> Arrays:
    """Nodes: global, input, one for each position, output. Features: block, position, settings of the input, kind."""
    positions, width = blocks.shape
    nodes = np.zeros((positions + 3, width + positions + len(inputs) + 3), np.float32)
    nodes[2:-1, :width] = blocks * present[:, None]
    nodes[2:-1, width : width + positions] = np.diag(present)
    nodes[1, width + positions : -3] = inputs
    nodes[[0, 1, -1], [-3, -2, -1]] = 1
    edges = np.zeros((positions + 2, positions + 2), bool)
    stops = [0, *(1 + np.flatnonzero(present)), positions + 1]
    edges[stops[:-1], stops[1:]] = True
    return nodes, _with_global(edges)


def _with_global(edges: NDArray[Any]) -> Float32:
    adjacency = np.eye(len(edges) + 1, dtype=np.float32)
    adjacency[0, 1:] = 1
    adjacency[1:, 1:] += edges
    return adjacency


def _fold(operators: NDArray[np.int64], live: NDArray[np.bool_]) -> NDArray[Any]:
    """Edges between input, operators and output after dead operators are removed and skips made edges: (8, 8)."""
    ends = [(-1, 0), *EDGES, (EDGES[-1][1], -1)]
    alive = [True, *live, True]
    edges = np.array(
        [[a and b and first[1] == second[0] for second, b in zip(ends, alive, strict=True)]
         for first, a in zip(ends, alive, strict=True)],
        dtype=bool,
    )  # fmt: skip
    edges[-1] = False
    for node, operator in enumerate(operators, start=1):
        if operator == 1 and live[node - 1]:
            edges |= np.outer(edges[:, node], edges[node])
            edges[node] = edges[:, node] = False
    return edges
