"""Intervals that are wider than a predictor says: of forecasts, and of what its artifact forecasts."""

from collections.abc import Callable

import numpy as np
import pytest

from latcast.schema import Target
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Predictor, Query
from predictors.kinds.boosted_trees.predictor import BoostedTreesPredictor
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.contest import Contender
from predictors.kinds.stack.scaled import with_interval_scale
from predictors.registry import load_predictor, pretrained
from profilers.search_spaces import get_space

SPACE, TARGET = get_space("nasbench201"), Target(device="d", backend="b")


def rows(count: int) -> LatencyDataset:
    drawn = [SPACE.sample(np.random.default_rng(place)) for place in range(count)]
    latency_ms = np.array([1.0 + one.text.count("conv") + 0.1 * one.text.count("pool") for one in drawn])
    queries = [Query(target=TARGET, architecture=one) for one in drawn]
    return LatencyDataset(queries=queries, latency_ms=latency_ms)


def house() -> Predictor:
    return pretrained("universal-nasbench201").adapt(TARGET, rows(12))


def trees() -> Predictor:
    return BoostedTreesPredictor(trees=20).fit(rows(40)).adapt(TARGET, rows(12))


def stack() -> Predictor:
    contenders = [
        Contender(name="house", predictor=pretrained("universal-nasbench201"), record=0.05),
        Contender(name="trees", predictor=BoostedTreesPredictor(trees=20).fit(rows(40)), record=0.05),
    ]
    return StackPredictor.of(contenders).adapt(TARGET, rows(3))


@pytest.mark.parametrize("make", [house, trees, stack])
def test_intervals_are_so_many_times_as_wide(make: Callable[[], Predictor]) -> None:
    adapted, queries = make(), rows(30).queries
    scaled = with_interval_scale(adapted, 1.7)
    stored = load_predictor(Artifact.from_bytes(scaled.to_artifact().to_bytes()))
    before = adapted.predict(queries)
    for one in (scaled, stored):
        after = one.predict(queries)
        assert after.median_ms == pytest.approx(before.median_ms, rel=1e-12)
        wide, narrow = (
            np.log(after.interval_ms()[1] / after.median_ms),
            np.log(before.interval_ms()[1] / before.median_ms),
        )
        assert wide == pytest.approx(1.7 * narrow, rel=1e-9)


def test_files_of_other_formats_can_be_made_of_the_house_predictor() -> None:
    adapted = house()
    assert with_interval_scale(adapted, 1.0) is adapted
    assert with_interval_scale(adapted, 0.6).kind == "universal"
