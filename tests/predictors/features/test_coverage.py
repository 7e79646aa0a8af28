"""Coverage is the share of a graph's cost in operators and sizes that are in training."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import Graph
from predictors.features.coverage import OperatorRanges
from predictors.testing.graphs import GraphBuilder, foreign_graph, random_graph


def chain(*, size: int = 32) -> Graph:
    builder = GraphBuilder()
    x = builder.conv(builder.input(2, 3, size, size), 8)
    x = builder.conv(builder.relu(x), 8, groups=8)
    x = builder.conv(builder.conv(x, 16, kernel=1), 16, groups=4)
    return builder.build(builder.classifier(x, 10))


def test_coverage_is_the_share_of_cost_that_is_in_training() -> None:
    graphs = [random_graph(np.random.default_rng(seed)) for seed in range(30)]
    ranges = OperatorRanges.of(graphs)
    assert_array_equal(ranges.shares(graphs), np.ones(30))
    shares = [ranges.coverage(foreign_graph(share)) for share in (0.0, 0.2, 0.5, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[-1] < 0.05


def test_sizes_beyond_training_are_not_covered() -> None:
    ranges = OperatorRanges.of([chain(size=32)])
    assert ranges.coverage(chain(size=36)) == 1.0
    assert ranges.coverage(chain(size=256)) < 0.1


def test_coverage_survives_json() -> None:
    ranges = OperatorRanges.of([chain()])
    assert OperatorRanges.from_vocabulary(ranges.to_vocabulary()) == ranges


def test_a_graph_without_nodes_is_covered() -> None:
    empty = Graph(hash="g1-empty", tensors=(), inputs=(), outputs=(), nodes=())
    assert OperatorRanges.of([empty]).coverage(empty) == 1.0
    assert OperatorRanges.of([]).shares([]).shape == (0,)


def test_without_training_nothing_is_covered() -> None:
    assert OperatorRanges.of([]).coverage(chain()) == 0.0


def test_ranges_are_of_all_graphs_and_survive_json() -> None:
    small, large = OperatorRanges.of([chain(size=16)]), OperatorRanges.of([chain(size=64)])
    both = OperatorRanges.of([chain(size=16), chain(size=64)])
    low, high = both.ranges["::Relu"]
    assert (low, high) == (small.ranges["::Relu"][0], large.ranges["::Relu"][1])
    assert OperatorRanges.from_vocabulary(json.loads(json.dumps(both.to_vocabulary()))) == both
    assert both.coverage(chain(size=32)) == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64", "complex64", "float8e4m3fn"])
def test_numbers_that_training_did_not_have_are_not_covered(dtype: str) -> None:
    """Operators in a type that few runtimes compute in are unknown, whatever is known of them in float32."""
    rare = replace(chain(), tensors=tuple(replace(tensor, dtype=dtype) for tensor in chain().tensors))
    assert OperatorRanges.of([chain()]).coverage(rare) == 0.0
    assert OperatorRanges.of([chain(), rare]).coverage(rare) == 1.0


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "int64"])
def test_numbers_that_runtimes_compute_in_are_covered(dtype: str) -> None:
    common = replace(chain(), tensors=tuple(replace(tensor, dtype=dtype) for tensor in chain().tensors))
    assert OperatorRanges.of([chain()]).coverage(common) == 1.0
