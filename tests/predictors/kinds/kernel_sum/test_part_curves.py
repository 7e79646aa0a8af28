"""Networks that were put together of parts are forecast as their graphs are, though no kernel is looked at again."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from latcast.schema import Architecture, Target
from predictors.base import FloatArray, LatencyDataset, Query
from predictors.features.kernels import ExecutionTraits, KernelTable, kernels_feature
from predictors.features.kernels.parts import ChainTable
from predictors.features.kernels.table import read_table
from predictors.kinds.kernel_sum.model import KernelSum
from predictors.kinds.kernel_sum.part_curves import Columns, kernels_of_chains
from predictors.kinds.universal.graphs.predictor import GraphPredictor
from predictors.kinds.universal.predictor import UniversalPredictor
from predictors.networks import GraphFeatures
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.test_parts import parts_of

TARGET = Target(device="0123456789abcdef", backend="onnxruntime", backend_version="1.32.0", threads=1)
OTHER = Target(device="0123456789abcdef", backend="onnxruntime", backend_version="1.32.0", threads=2)
SPACES = ("fbnet", "mnasnet", "nasbench201", "ofa_mbv3")
ON_THE_OTHER_SIDE = 5e-3
"""What one split of the trees over whole graphs may change."""


class Asked(Query):
    """A query of which the kernels are known."""

    def __init__(self, target: Target, architecture: Architecture, table: KernelTable | ChainTable) -> None:
        super().__init__(target=target, architecture=architecture)
        feature = kernels_feature(ExecutionTraits.of(target))
        self._features = GraphFeatures(hash="", flops=1, size=1, features={feature: table})

    @property
    def network(self) -> GraphFeatures:
        return self._features


def in_parts(architecture: Architecture) -> ChainTable:
    """The network, put together."""
    rules = ExecutionTraits.of(TARGET).rewrite_rules
    return ChainTable(parts_of(get_space(architecture.space), architecture, rules))


def drawn(space: str, seed: int, count: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [get_space(space).sample(rng) for _ in range(count)]


def together(architectures: Sequence[Architecture], target: Target = TARGET) -> list[Query]:
    return [Asked(target, each, in_parts(each)) for each in architectures]


def of_tables(architectures: Sequence[Architecture], target: Target = TARGET) -> list[Query]:
    return [Asked(target, each, in_parts(each).whole()) for each in architectures]


@cache
def model() -> KernelSum:
    """The shipped one, adapted to networks of a space whose texts are asked: kernels with exactly their shapes."""
    base = pretrained("universal-graphs")
    assert isinstance(base, UniversalPredictor)
    assert isinstance(base.fitted, GraphPredictor)
    support = of_tables([*drawn("fbnet", 1, 6), *drawn("ofa_mbv3", 2, 4)])
    rng, shared = np.random.default_rng(3), base.fitted.model
    times = [shared.explain(query).latency_ms * np.exp(rng.normal(0.3, 0.3)) for query in support]
    kernel_ms: list[FloatArray | None] = [each * np.exp(rng.normal(0, 0.2, len(each))) for each in times]
    latency = np.array([each.sum() for each in times])
    return shared.adapted(TARGET, LatencyDataset(queries=support, latency_ms=latency, kernel_ms=kernel_ms), None)


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_forecasts_are_those_of_the_tables(space: str, seed: int, count: int) -> None:
    """But for the last digits, and where these decide on which side of a split of the trees a network is."""
    texts = drawn(space, seed, count)
    read, exact = model().predict(together(texts)), model().predict(of_tables(texts))
    assert_allclose(read.median_ms, exact.median_ms, rtol=ON_THE_OTHER_SIDE)
    assert_allclose(read.log_std, exact.log_std, rtol=1e-3)
    assert read.coverage is not None
    assert exact.coverage is not None
    assert_allclose(read.coverage, exact.coverage, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_hardly_any_forecast_differs_by_more_than_a_hundredth_of_a_percent(space: str) -> None:
    texts = drawn(space, 21, 200)
    read, exact = model().predict(together(texts)), model().predict(of_tables(texts))
    difference = np.abs(np.log(read.median_ms / exact.median_ms))
    assert np.median(difference) < 2e-5
    assert np.quantile(difference, 0.98) < 1e-4


def test_a_forecast_does_not_depend_on_what_was_asked_before_or_beside_it() -> None:
    texts = [text for space in SPACES for text in drawn(space, 5, 12)]
    alone = [model().predict(together([text])).median_ms[0] for text in texts]
    assert_allclose(model().predict(together(texts)).median_ms, alone, rtol=1e-7)


def test_networks_in_parts_and_whole_ones_of_several_targets_keep_their_places() -> None:
    texts, shared = drawn("fbnet", 7, 9), model()
    forms = [together, of_tables, together]
    targets = [TARGET, OTHER]
    queries = [forms[i % 3]([text], targets[i % 2])[0] for i, text in enumerate(texts)]
    expected = [shared.predict(of_tables([text], targets[i % 2])).median_ms[0] for i, text in enumerate(texts)]
    assert_allclose(shared.predict(queries).median_ms, expected, rtol=ON_THE_OTHER_SIDE)
    assert np.diff(np.sort(expected)).min() > 1e-4


def test_an_adapted_model_does_not_read_the_curves_of_the_one_it_was_made_from() -> None:
    base = pretrained("universal-graphs")
    assert isinstance(base, UniversalPredictor)
    texts = together(drawn("fbnet", 9, 4))
    before = base.predict(texts).median_ms
    assert np.abs(np.log(model().predict(texts).median_ms / before)).min() > 0.02
    assert_array_equal(base.predict(texts).median_ms, before)


def test_no_operator_of_a_known_space_is_unknown() -> None:
    (text,) = drawn("fbnet", 11, 1)
    ((query,), (whole,)) = together([text]), of_tables([text])
    read = [one.network.feature(kernels_feature(ExecutionTraits.of(TARGET))).operators for one in (query, whole)]
    assert set(read[0]) == set(read[1]) <= set(model().shared.operators)
    assert model().unknown_operators(query) == ()


def test_curves_grow_at_both_ends_and_describe_no_size_twice() -> None:
    """Sizes in any order: what was worked out is kept, and a cubic is read exactly."""
    (text,) = drawn("fbnet", 13, 1)
    part, described, owner = in_parts(text).parts[0], [0], object()

    def describe(table: KernelTable) -> Columns:
        described[0] += len(table)
        size = np.log1p(table.column("graph_parameter_bytes"))
        return Columns(
            smooth=[size[:, None], np.stack([size, size**3 - 40 * size**2], axis=1)],
            fixed=[table.values[:, :2], table.column("operations")[:, None]],
        )

    def sized(parameter_bytes: float) -> ChainTable:
        chain = ChainTable([part])
        chain.parameter_bytes = parameter_bytes
        return chain

    sizes = [4e6, 4.1e6, 5e7, 0.0, 3e3, 4e6, 2e4]
    for size in sizes:
        seen = kernels_of_chains([sized(size)], describe, owner)
        x = np.log1p(size)
        (plain, powers), (values, operations) = seen.columns.smooth, seen.columns.fixed
        assert_allclose(plain, np.full((len(part.table), 1), x), rtol=1e-9, atol=1e-9)
        assert_allclose(powers, np.tile([x, x**3 - 40 * x**2], (len(part.table), 1)), rtol=1e-9, atol=1e-9)
        assert_array_equal(values, part.table.values[:, :2])
        assert_array_equal(operations[:, 0], part.table.column("operations"))
        assert_array_equal(seen.rows, np.zeros(len(part.table)))
    once = described[0]
    seen = kernels_of_chains([sized(size) for size in sizes], describe, owner)
    assert described[0] == once
    assert_array_equal(seen.rows, np.repeat(np.arange(len(sizes)), len(part.table)))
    assert seen.parameter_bytes.tolist() == sizes


def test_the_tables_are_those_of_the_graphs() -> None:
    (text,) = drawn("fbnet", 17, 1)
    rules = ExecutionTraits.of(TARGET).rewrite_rules
    graph = load_graph(get_space("fbnet").to_onnx(text))
    assert_array_equal(read_table(graph, rules).values, in_parts(text).whole().values)
