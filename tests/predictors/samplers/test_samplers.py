from collections.abc import Sequence
from copy import copy
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import Architecture, InputError, UnknownNameError
from predictors.base import Query
from predictors.data.splits import query_key
from predictors.kinds.flops import FlopsPredictor
from predictors.samplers.base import (
    KMeansSampler,
    QuantileSampler,
    RandomSampler,
    ReferenceSampler,
    Sampler,
    VarianceSampler,
    eligible,
    get_sampler,
    greedy_variance,
    kmeans,
    query_features,
    sampler_names,
)
from predictors.testing import DEVICES, NEW_DEVICE
from predictors.testing.workload import default_workload
from profilers.search_spaces import get_space

SAMPLERS: Sequence[type[Sampler]] = (RandomSampler, QuantileSampler, KMeansSampler, VarianceSampler, ReferenceSampler)
DEAD = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(scope="module")
def candidates() -> list[Query]:
    return list(default_workload().new_held_out.queries[:120])


@pytest.fixture(scope="module")
def predictor() -> FlopsPredictor:
    return FlopsPredictor().fit(default_workload().train)


def cells(count: int, *, dead: int = 0) -> list[Query]:
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    texts: list[Architecture] = []
    while len(texts) < count:
        drawn = space.sample(rng)
        if not space.is_degenerate(drawn):
            texts.append(drawn)
    texts += [space.parse(DEAD)] * dead
    return [Query(target=NEW_DEVICE.target, architecture=text) for text in texts]


def test_every_sampler_is_registered() -> None:
    assert set(sampler_names()) >= {sampler.name for sampler in SAMPLERS}
    for sampler in SAMPLERS:
        assert isinstance(get_sampler(sampler.name), sampler)
    with pytest.raises(UnknownNameError, match="random"):
        get_sampler("randon")


def test_references_are_the_same_on_every_target() -> None:
    here = cells(30)
    there = [Query(target=DEVICES[0].target, architecture=query.architecture) for query in reversed(here)]
    chosen = ReferenceSampler().choose(here, 5, rng=np.random.default_rng(0))
    again = ReferenceSampler().choose(there, 5, rng=np.random.default_rng(1))
    assert [here[index].architecture for index in chosen] == [there[index].architecture for index in again]


def test_references_of_a_predictor_come_first(candidates: list[Query], predictor: FlopsPredictor) -> None:
    describing = copy(predictor)
    describing.references_ = (query_key(candidates[7]), "elsewhere")  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    assert ReferenceSampler().choose(candidates, 3, predictor=describing, rng=rng)[0] == 7


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("informed", [False, True])
def test_samples_are_different_candidates(
    sampler: type[Sampler], informed: bool, candidates: list[Query], predictor: FlopsPredictor
) -> None:
    chosen = [
        sampler().choose(candidates, 20, predictor=predictor if informed else None, rng=np.random.default_rng(4))
        for _ in range(2)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) == 20
    assert all(type(index) is int and 0 <= index < len(candidates) for index in chosen[0])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_degenerate_architectures_are_never_chosen(sampler: type[Sampler], predictor: FlopsPredictor) -> None:
    if sampler is QuantileSampler:
        pytest.skip("would build graphs here; it shares `eligible` with the others")
    queries = cells(12, dead=40)
    assert set(sampler().choose(queries, 12, rng=np.random.default_rng(1))) == set(range(12))
    with pytest.raises(InputError, match="40 are degenerate"):
        sampler().choose(queries, 13, rng=np.random.default_rng(1))


def test_eligible_counts_what_is_left() -> None:
    queries = cells(5, dead=2)
    assert list(eligible(queries, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="2 are degenerate"):
        eligible(queries, 6)
    with pytest.raises(InputError, match="At least one"):
        eligible(queries, 0)


def test_quantiles_spread_over_all_sizes(candidates: list[Query]) -> None:
    chosen = QuantileSampler().choose(candidates, 10, rng=np.random.default_rng(0))
    ranks = np.argsort(np.argsort([query.graph.flops for query in candidates]))
    assert sorted(ranks[chosen] // 12) == list(range(10))


def test_kmeans_takes_one_of_each_heap() -> None:
    rng = np.random.default_rng(2)
    heaps = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = np.repeat(heaps, 25, axis=0) + 0.3 * rng.standard_normal((100, 2))
    centres = kmeans(points, 4, np.random.default_rng(0))
    nearest = np.square(centres[:, None] - heaps).sum(axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2, 3]
    assert nearest.min(axis=1).max() < 0.1


def test_kmeans_survives_equal_points() -> None:
    assert_allclose(kmeans(np.ones((5, 2)), 3, np.random.default_rng(0)), np.ones((3, 2)))


def test_kmeans_sampler_survives_equal_candidates(candidates: list[Query]) -> None:
    chosen = KMeansSampler().choose([candidates[0]] * 6, 4, rng=np.random.default_rng(0))
    assert len(set(chosen)) == 4


def _total_variance(features: np.ndarray, chosen: list[int], noise: float) -> float:
    kernel = features @ features.T
    seen = kernel[np.ix_(chosen, chosen)] + noise**2 * np.eye(len(chosen))
    return float(np.trace(kernel - kernel[:, chosen] @ np.linalg.solve(seen, kernel[chosen])))


def test_greedy_variance_takes_the_best_next_row() -> None:
    features, noise = np.random.default_rng(3).standard_normal((15, 4)), 0.3
    chosen: list[int] = []
    for found in greedy_variance(features, 6, noise):
        left = [row for row in range(15) if row not in chosen]
        best = min(left, key=lambda row: _total_variance(features, [*chosen, row], noise))
        assert found == best
        chosen.append(best)


def test_greedy_variance_beats_chance() -> None:
    rng = np.random.default_rng(4)
    features = rng.standard_normal((200, 10)) * np.linspace(1, 0.05, 10)
    own = _total_variance(features, greedy_variance(features, 8, 0.1), 0.1)
    others = [_total_variance(features, list(rng.choice(200, 8, replace=False)), 0.1) for _ in range(20)]
    assert own < min(others)


def test_variance_sampler_asks_the_predictor(candidates: list[Query]) -> None:
    class Certain(FlopsPredictor):
        asked: ClassVar[list[int]] = []

        def adaptation_features(self, queries: Sequence[Query]) -> np.ndarray:
            self.asked.append(len(queries))
            return np.eye(len(queries))[:, ::-1] * np.arange(1, len(queries) + 1)

    chosen = VarianceSampler().choose(candidates, 3, predictor=Certain(), rng=np.random.default_rng(0))
    assert Certain.asked == [len(candidates)]
    assert chosen == [0, 1, 2]


def test_features_are_standardised() -> None:
    found = query_features(list(default_workload().support.queries))
    assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    assert_allclose(np.square(found).sum(axis=1).mean(), 1.0)
