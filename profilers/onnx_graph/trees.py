"""Work of the tree ensembles of ai.onnx.ml, from their structure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.onnx_graph.long_lists import LongList

__all__ = ["tree_counts", "tree_steps"]

_BLOCK = 1 << 16
"""Nodes that are looked at together, at least where one tree has no more."""


def tree_steps(attributes: Mapping[str, Any]) -> int:
    """Comparisons that one row takes: for each tree the mean depth of its leaves, summed over the trees.

    Args:
        attributes: of TreeEnsembleClassifier or TreeEnsembleRegressor (nodes named by tree and node id), or of
            TreeEnsemble (nodes named by position, leaves apart).
    """
    if "nodes_treeids" in attributes:
        return _by_ids(attributes)
    if "tree_roots" in attributes:
        return _by_position(attributes)
    return 0


def tree_counts(attributes: Mapping[str, Any]) -> dict[str, int]:
    """`trees` and `nodes` of an ensemble; empty for attributes of anything else."""
    if "nodes_treeids" in attributes:
        ids = np.asarray(attributes["nodes_treeids"])
        return {"trees": int(np.unique(ids).size), "nodes": int(ids.size)}
    if "tree_roots" in attributes:
        nodes = attributes.get("nodes_featureids", ())
        return {"trees": len(attributes["tree_roots"]), "nodes": len(nodes)}
    return {}


_Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_]]


def _by_ids(attributes: Mapping[str, Any]) -> int:
    try:
        trees = np.asarray(attributes["nodes_treeids"])
        names = np.asarray(attributes["nodes_nodeids"])
        true, false = (np.asarray(attributes[f"nodes_{side}nodeids"]) for side in ("true", "false"))
        leaf = _is_leaf(attributes["nodes_modes"])
        return round(sum(_steps_by_ids(*block) for block in _blocks((trees, names, true, false, leaf))))
    except (KeyError, ValueError, IndexError, OverflowError, TypeError):
        return 0  # ill-formed: a runtime will refuse it


def _blocks(columns: _Columns) -> Iterator[_Columns]:
    """Whole trees, some at a time, where nodes come tree by tree: what is computed of them takes memory, too."""
    trees = columns[0]
    starts = np.flatnonzero(trees[1:] != trees[:-1]) + 1
    start, end = 0, trees.size
    if bool((trees[1:] >= trees[:-1]).all()):
        while end - start > _BLOCK:
            place = int(np.searchsorted(starts, start + _BLOCK))
            if place == starts.size:
                break
            yield tuple(column[start : starts[place]] for column in columns)  # type: ignore[misc]
            start = int(starts[place])
    yield tuple(column[start:end] for column in columns)  # type: ignore[misc]


def _steps_by_ids(
    trees: NDArray[Any], names: NDArray[Any], true: NDArray[Any], false: NDArray[Any], leaf: NDArray[np.bool_]
) -> float:
    trees, names, true, false = (column.astype(np.int64) for column in (trees, names, true, false))
    width = int(max(names.max(), true.max(), false.max())) + 1
    keys = trees * width + names
    order = np.argsort(keys)
    positions = [order[np.searchsorted(keys, trees * width + side, sorter=order) % keys.size] for side in (true, false)]
    roots = np.unique(trees, return_index=True)[1]
    return _mean_depths(roots, positions, [leaf, leaf])


def _is_leaf(modes: Sequence[str]) -> NDArray[np.bool_]:
    if isinstance(modes, LongList):
        return np.asarray(modes.equals("LEAF"))
    return np.asarray([mode == "LEAF" for mode in modes])


def _by_position(attributes: Mapping[str, Any]) -> int:
    try:
        positions = [np.asarray(attributes[f"nodes_{side}nodeids"], dtype=np.int64) for side in ("true", "false")]
        leaves = [np.asarray(attributes[f"nodes_{side}leafs"], dtype=bool) for side in ("true", "false")]
        roots = np.asarray(attributes["tree_roots"], dtype=np.int64)
        size = positions[0].size
        return round(_mean_depths(roots % size, [side % size for side in positions], leaves, leaf_edges=True))
    except (KeyError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return 0


def _mean_depths(
    roots: NDArray[np.int64],
    children: list[NDArray[np.int64]],
    leaves: list[NDArray[np.bool_]],
    *,
    leaf_edges: bool = False,
) -> float:
    """Sum over the trees of the mean number of comparisons, a fair coin deciding each.

    Walks all trees level by level; a level halves the chance of being reached, so 64 levels are more than enough and a
    cycle in a hostile file ends too.
    """
    at = roots if leaf_edges else roots[~leaves[0][roots]]
    chance = np.ones(at.size)
    steps = 0.0
    for _ in range(64):
        if not at.size or at.size > 4 * children[0].size + 4:
            break
        steps += float(chance.sum())
        inner = [~leaves[side][at] if leaf_edges else ~leaves[side][children[side][at]] for side in (0, 1)]
        chance = np.concatenate([chance[inner[side]] / 2 for side in (0, 1)])
        at = np.concatenate([children[side][at][inner[side]] for side in (0, 1)])
    return steps
