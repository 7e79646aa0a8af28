"""Flat features of graphs: work by class, depth and width."""

from dataclasses import replace
from math import log1p

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import Graph, Node
from predictors.features.flat import (
    FEATURE_NAMES,
    OPERATOR_CLASSES,
    flat_features,
    operator_class,
    walk,
)
from predictors.testing import GraphBuilder, foreign_graph, random_graph, shuffled


def feature(graph: Graph, name: str) -> float:
    return float(flat_features([graph])[0, FEATURE_NAMES.index(name)])


def chain(*, size: int = 32) -> Graph:
    builder = GraphBuilder()
    x = builder.conv(builder.input(2, 3, size, size), 8)
    x = builder.conv(builder.relu(x), 8, groups=8)
    x = builder.conv(builder.conv(x, 16, kernel=1), 16, groups=4)
    return builder.build(builder.classifier(x, 10))


def test_operators_are_in_one_class_each() -> None:
    listed = [operator for operators in OPERATOR_CLASSES.values() for operator in operators]
    assert len(listed) == len(set(listed))
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES))


def test_convolutions_are_told_apart() -> None:
    graph = chain()
    result = [operator_class(node, graph) for node in graph.nodes if node.operator == "Conv"]
    assert result == ["convolution", "depthwise", "pointwise", "grouped"]


def test_work_is_counted_once_in_all_and_by_class() -> None:
    graph = chain()
    assert feature(graph, "flops") == log1p(graph.flops)
    assert feature(graph, "macs") == log1p(graph.macs)
    assert feature(graph, "parameter_bytes") == log1p(graph.parameter_bytes)
    assert feature(graph, "nodes") == log1p(len(graph.nodes))
    assert feature(graph, "batch") == log1p(2)
    by_class = [np.expm1(feature(graph, f"{name}.flops")) for name in OPERATOR_CLASSES]
    assert sum(by_class) == pytest.approx(graph.flops)
    assert feature(graph, "depthwise.nodes") == log1p(1)


def test_depth_and_width_of_branches() -> None:
    builder = GraphBuilder()
    x = builder.input(1, 4, 8, 8)
    y = builder.add(builder.relu(x), builder.relu(x))
    graph = builder.build(builder.add(y, builder.relu(y)))
    assert len(graph.nodes) == 5
    assert feature(graph, "depth") == log1p(4)
    assert feature(graph, "width") == log1p(5 / 4)


def test_unknown_operators_still_count() -> None:
    graph = foreign_graph()
    assert feature(graph, "other.flops") == log1p(10**8)
    assert feature(graph, "flops") == log1p(graph.flops)


def test_bodies_count_times_their_trips() -> None:
    body = chain()
    loop = Node(
        operator="Loop", inputs=(), outputs=(), flops=3 * body.flops, macs=3 * body.macs, bodies=(body,), trips=3
    )
    outer = replace(body, hash="g1-loop", nodes=(loop,))
    assert feature(outer, "flops") == log1p(3 * body.flops)
    assert feature(outer, "depthwise.nodes") == log1p(3)
    assert feature(outer, "control.flops") == 0
    nested = replace(outer, hash="g1-nested", nodes=(replace(loop, bodies=(outer,), trips=2),))
    assert sum(flops * times for _, _, flops, times in walk(nested)) == 6 * body.flops


def test_order_and_names_do_not_enter() -> None:
    rng = np.random.default_rng(0)
    for seed in range(10):
        graph = random_graph(np.random.default_rng(seed))
        assert_array_equal(flat_features([shuffled(graph, rng)]), flat_features([graph]))


def test_quantised_tensors_show() -> None:
    graph = chain()
    narrow = tuple(replace(spec, dtype="int8") for spec in graph.tensors)
    assert feature(graph, "narrow_share") == 0
    assert feature(replace(graph, tensors=narrow, hash="g1-int8"), "narrow_share") == 1


def test_an_empty_graph_has_features() -> None:
    empty = Graph(hash="g1-empty", tensors=(), inputs=(), outputs=(), nodes=())
    assert np.isfinite(flat_features([empty])).all()
    assert flat_features([]).shape == (0, len(FEATURE_NAMES))
