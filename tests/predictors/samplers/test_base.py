"""What all samplers promise."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import InputError, UnknownNameError
from predictors.base import Query
from predictors.kinds.flops import FlopsPredictor
from predictors.samplers.base import Sampler, eligible, get_sampler, query_features, sampler_names
from predictors.samplers.kmeans import KMeansSampler
from predictors.samplers.quantile import QuantileSampler
from predictors.samplers.random import RandomSampler
from predictors.samplers.reference import ReferenceSampler
from predictors.samplers.variance import VarianceSampler
from predictors.testing.workload import default_workload
from tests.predictors.samplers.cells import cells

SAMPLERS: Sequence[type[Sampler]] = (RandomSampler, QuantileSampler, KMeansSampler, VarianceSampler, ReferenceSampler)


def test_every_sampler_is_registered() -> None:
    assert set(sampler_names()) >= {sampler.name for sampler in SAMPLERS}
    for sampler in SAMPLERS:
        assert isinstance(get_sampler(sampler.name), sampler)
    with pytest.raises(UnknownNameError, match="random"):
        get_sampler("randon")


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


def test_features_are_standardised() -> None:
    result = query_features(list(default_workload().support.queries))
    assert_allclose(result.mean(axis=0), 0, atol=1e-12)
    assert_allclose(np.square(result).sum(axis=1).mean(), 1.0)
