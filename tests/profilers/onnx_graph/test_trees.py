"""Comparisons of tree ensembles follow from their structure, hostile ones included."""

from typing import Any

from profilers.onnx_graph.trees import tree_steps

STUMPS: dict[str, Any] = {
    "nodes_treeids": (0, 0, 0, 1, 1, 1),
    "nodes_nodeids": (0, 1, 2) * 2,
    "nodes_modes": ("BRANCH_LEQ", "LEAF", "LEAF") * 2,
    "nodes_truenodeids": (1, 0, 0) * 2,
    "nodes_falsenodeids": (2, 0, 0) * 2,
}
CHAIN: dict[str, Any] = {
    "nodes_treeids": (0,) * 5,
    "nodes_nodeids": (0, 1, 2, 3, 4),
    "nodes_modes": ("BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"),
    "nodes_truenodeids": (1, 0, 3, 0, 0),
    "nodes_falsenodeids": (2, 0, 4, 0, 0),
}


def test_each_tree_takes_its_mean_depth() -> None:
    assert tree_steps(STUMPS) == 2
    assert tree_steps(CHAIN) == round(1 + 0.5)


def test_trees_named_by_position() -> None:
    by_position = {
        "tree_roots": (0,),
        "nodes_truenodeids": (0, 0),
        "nodes_falsenodeids": (1, 0),
        "nodes_trueleafs": (1, 1),
        "nodes_falseleafs": (0, 1),
    }
    assert tree_steps(by_position) == round(1 + 0.5)


def test_a_cycle_ends() -> None:
    endless = {**CHAIN, "nodes_modes": ("BRANCH_LEQ",) * 5}
    assert 0 < tree_steps(endless) <= 64


def test_what_is_no_ensemble_takes_none() -> None:
    assert tree_steps({}) == 0
    assert tree_steps({"nodes_treeids": (0, 0)}) == 0
    assert tree_steps({**STUMPS, "nodes_nodeids": (0, 1)}) == 0
