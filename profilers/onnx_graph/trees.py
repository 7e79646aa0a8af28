"""Work of the tree ensembles of ai.onnx.ml, from their structure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["tree_steps"]


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


def _by_ids(attributes: Mapping[str, Any]) -> int:
    trees = np.asarray(attributes["nodes_treeids"], dtype=np.int64)
    try:
        names = np.asarray(attributes["nodes_nodeids"], dtype=np.int64)
        children = [np.asarray(attributes[f"nodes_{side}nodeids"], dtype=np.int64) for side in ("true", "false")]
        leaf = np.asarray([mode == "LEAF" for mode in attributes["nodes_modes"]])
        width = int(max(names.max(), *(side.max() for side in children))) + 1
        keys = trees * width + names
        order = np.argsort(keys)
        positions = [order[np.searchsorted(keys, trees * width + side, sorter=order) % keys.size] for side in children]
    except (KeyError, ValueError, IndexError, OverflowError):
        return 0  # ill-formed: a runtime will refuse it
    roots = np.unique(trees, return_index=True)[1]
    return _mean_depths(roots, positions, [leaf, leaf])


def _by_position(attributes: Mapping[str, Any]) -> int:
    try:
        positions = [np.asarray(attributes[f"nodes_{side}nodeids"], dtype=np.int64) for side in ("true", "false")]
        leaves = [np.asarray(attributes[f"nodes_{side}leafs"], dtype=bool) for side in ("true", "false")]
        roots = np.asarray(attributes["tree_roots"], dtype=np.int64)
        size = positions[0].size
        return _mean_depths(roots % size, [side % size for side in positions], leaves, leaf_edges=True)
    except (KeyError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return 0


def _mean_depths(
    roots: NDArray[np.int64],
    children: list[NDArray[np.int64]],
    leaves: list[NDArray[np.bool_]],
    *,
    leaf_edges: bool = False,
) -> int:
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
    return round(steps)
