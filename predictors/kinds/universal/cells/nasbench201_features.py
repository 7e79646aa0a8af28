"""NAS-Bench-201 (Dong and Yang, ICLR 2020, https://arxiv.org/abs/2001.00326) as features in which latency is a sum."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.kinds.universal.cells.feature_space import FeatureSpace, one_hot
from profilers.search_spaces.nasbench201 import EDGES, OPERATORS, NASBench201

__all__ = ["NASBENCH201", "connected", "executed"]

Codes = NDArray[np.int64]
"""Operators as indices into OPERATORS, int64 (n, 6): edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3; 0 is `none`."""

_COUNTS = len(OPERATORS) - 1
_HOT = len(OPERATORS) * len(EDGES)
_FIRST_COLUMNS = 2 * (_COUNTS + _HOT)
_NEEDED, _LIVE = 10, 5
_COLUMNS = _FIRST_COLUMNS + _NEEDED + _LIVE + 1
_CONVOLUTIONS, _POOL = (2, 3), 4

_index = lru_cache(maxsize=32_768)(NASBench201().index)


def cell_codes(texts: Sequence[str]) -> Codes:
    """The cells' operators."""
    indices = np.fromiter((_index(text) for text in texts), dtype=np.int64, count=len(texts))
    return np.stack(np.unravel_index(indices, (len(OPERATORS),) * len(EDGES)), axis=1)


def connected(cells: Codes) -> NDArray[np.bool_]:
    """Whether each cell's input reaches its output through edges that are not `none`: bool (n,)."""
    e01, e02, e12, e03, e13, e23 = (cells > 0).T
    return np.asarray(e03 | (e01 & e13) | ((e02 | (e01 & e12)) & e23))


def executed(cells: Codes) -> NDArray[np.bool_]:
    """Edges that a graph-optimising runtime still executes: bool (n, 6).

    Found in the latencies of one phone (pixel3 of HELP's tables), where operator counts of the cell explain a rank
    correlation of .92, after dead-edge removal .91 to .97, and after this rule .98. The reading is that `none` is a
    multiplication with zero, folded together with what feeds it where a node is a true sum, and fused into the
    producer where a node has one; no runtime's source was consulted, and some cells contradict it. Nothing is left of
    a cell whose input does not reach its output.
    """
    live = cells > 0
    keep = np.ones_like(live)
    unused_sum = ~live[:, 5] & live[:, 1] & live[:, 2]
    keep[:, 1] &= ~unused_sum
    keep[:, 2] &= ~unused_sum
    keep[:, 0] &= ~(~live[:, 4] & ~live[:, 5] & live[:, 1])
    return np.asarray(keep & connected(cells)[:, None])


def needed(cells: Codes) -> NDArray[np.bool_]:
    """Edges whose result reaches the output, `none` or not: bool (n, 6). What nothing needs no exporter writes."""
    _, _, e12, _, e13, e23 = (cells > 0).T
    always = np.ones(len(cells), dtype=bool)
    return np.stack([e13 | (e12 & e23), e23, e23, always, always, always], axis=1)


def live(cells: Codes) -> NDArray[np.bool_]:
    """Edges on a path from input to output without `none`, bool (n, 6): what is left when zeros are folded, too."""
    e01, e02, e12, *_ = (cells > 0).T
    always = np.ones(len(cells), dtype=bool)
    fed = np.stack([always, always, e01, always, e01, e02 | (e01 & e12)], axis=1)
    return np.asarray(needed(cells) & fed & (cells > 0))


def additions(kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sums of two tensors where several of the edges end in one node, int64 (n,)."""
    ends = np.array([node for _, node in EDGES])
    return np.asarray(sum(np.maximum((kept & (ends == node)).sum(axis=1) - 1, 0) for node in np.unique(ends)))


def _features(texts: Sequence[str]) -> FloatArray:
    """Operator counts of the cell and of its executed part, then operators by edge of both, then what runtimes do
    that prune by other rules: float64 (n, 84).

    All of them, because runtimes differ in what they prune. For 25 of the 27 devices of HELP's tables the four counts
    of the cell as written reach, in ms, what the tables' noise allows.
    """
    cells = cell_codes(texts)
    reduced = np.where(executed(cells), cells, 0)
    size = len(OPERATORS)
    hot = [one_hot(cells, size), one_hot(reduced, size)]
    return np.hstack([_counts(cells), _counts(reduced), *hot, _needed_work(cells), _live_work(cells),
                      additions(executed(cells) & (cells > 0))[:, None]])  # fmt: skip


def _needed_work(cells: Codes) -> FloatArray:
    """What an exported cell has: operators, `none` among them; sums of all edges, and of those that are not `none`;
    nodes that are zero; poolings and activations, of which a runtime computes equal ones once: float64 (n, 10).
    """
    kept = needed(cells)
    real, ends = kept & (cells > 0), np.array([node for _, node in EDGES])
    used = np.stack([kept[:, ends == node].any(axis=1) for node in (1, 2, 3)], axis=1)
    empty = sum(used[:, node - 1] & ~real[:, ends == node].any(axis=1) for node in (1, 2, 3))
    pooled, convolved = kept & (cells == _POOL), kept & np.isin(cells, _CONVOLUTIONS)
    counts = [(kept & (cells == code)).sum(axis=1) for code in range(len(OPERATORS))]
    columns = [*counts, additions(kept), additions(real), empty, _origins(pooled), _origins(convolved)]
    return np.stack(columns, axis=1).astype(np.float64)


def _live_work(cells: Codes) -> FloatArray:
    """Operators and sums of the live part: float64 (n, 5)."""
    kept = live(cells)
    return np.hstack([_counts(np.where(kept, cells, 0)), additions(kept)[:, None]])


def _origins(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many nodes the edges begin at, int64 (n,)."""
    starts = np.array([node for node, _ in EDGES])
    return np.asarray(sum(edges[:, starts == node].any(axis=1).astype(np.int64) for node in np.unique(starts)))


def _counts(cells: Codes) -> FloatArray:
    return np.stack([(cells == code).sum(axis=1) for code in range(1, len(OPERATORS))], axis=1).astype(np.float64)


def _columns(start: int, count: int) -> FloatArray:
    return np.eye(_COLUMNS)[:, start : start + count]


NASBENCH201 = FeatureSpace(
    name=NASBench201.name,
    features=_features,
    measurable=lambda texts: connected(cell_codes(texts)),
    places=slice(2 * _COUNTS, 2 * _COUNTS + _HOT),
    factors={
        "counts": _columns(0, _COUNTS),
        "executed counts": _columns(_COUNTS, _COUNTS),
        "edges": _columns(2 * _COUNTS, _HOT),
        "executed edges": _columns(2 * _COUNTS + _HOT, _HOT),
    },
    rule_factors={
        "needed": _columns(_FIRST_COLUMNS, _NEEDED),
        "live": _columns(_FIRST_COLUMNS + _NEEDED, _LIVE),
        "executed additions": _columns(_COLUMNS - 1, 1),
    },
    rules=(("counts",), ("executed counts", "executed additions"), ("needed",), ("live",)),
    details=("edges", "executed edges"),
    version="universal-2",
    former={"universal-1": _FIRST_COLUMNS},
)
