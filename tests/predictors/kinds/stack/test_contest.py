"""Records of contenders, standings as JSON, and how many adaptations it takes to judge them."""

from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import DeviceEvidence, Target
from predictors.base import Capabilities, LatencyDataset, Prediction, Query
from predictors.kinds.flops import FlopsPredictor
from predictors.kinds.stack.contest import MOST_REFITS, MOST_TRAININGS, Contender, Standing, contest, record_of
from predictors.registry import pretrained
from predictors.testing import DEVICES, NEW_DEVICE, measure, random_graph

TARGET = NEW_DEVICE.target


def test_the_record_of_a_trained_predictor_is_in_its_figures() -> None:
    assert record_of(pretrained("universal-nasbench201")) == pytest.approx(0.034)
    assert record_of(FlopsPredictor()) is None


def test_standings_survive_as_plain_values() -> None:
    standing = Standing(name="a", kind="flops", record=None, weight=0.3, median_ape=0.1, refused="")
    assert Standing.from_plain(standing.to_plain()) == standing


class Trained(FlopsPredictor):
    """A baseline that says of itself that it trains a network to adapt, and is off by a factor from network to network.

    Args:
        off: standard deviation of the factor's logarithm.
    """

    capabilities: ClassVar[Capabilities] = replace(FlopsPredictor.capabilities, trains_to_adapt=True)
    off = 0.0
    adapted_to: ClassVar[list[int]] = []

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        self.adapted_to.append(len(support))
        return super().adapt(target, support, evidence)

    def predict(self, queries: list[Query]) -> Prediction:  # type: ignore[override]
        prediction = super().predict(queries)
        draws = [np.random.default_rng(int(query.network.hash[3:12], 16)).standard_normal() for query in queries]
        return replace(prediction, median_ms=prediction.median_ms * np.exp(self.off * np.array(draws)))


@pytest.fixture(scope="module")
def support() -> LatencyDataset:
    rng = np.random.default_rng(3)
    return measure([random_graph(rng) for _ in range(20)], [NEW_DEVICE], rng)


@pytest.fixture(scope="module")
def contenders() -> tuple[FlopsPredictor, Trained]:
    rng = np.random.default_rng(1)
    rows = measure([random_graph(rng) for _ in range(20)], DEVICES, rng)
    return FlopsPredictor(folds=2).fit(rows), Trained(folds=2).fit(rows)


def entered(plain: FlopsPredictor, trained: Trained, *, off: float) -> list[Contender]:
    trained.off = off
    Trained.adapted_to.clear()
    return [Contender(name="trained", predictor=trained), Contender(name="plain", predictor=plain)]


def test_who_trains_and_is_far_behind_is_given_up_early(
    contenders: tuple[FlopsPredictor, Trained], support: LatencyDataset
) -> None:
    held = contest(entered(*contenders, off=2.0), TARGET, support, None)
    assert len(Trained.adapted_to) <= MOST_TRAININGS, "once to all of it, and to fewer than all of the parts"
    assert [one.name for one in held.standings] == ["trained", "plain"]
    assert [one.weight for one in held.standings] == [0.0, 1.0]
    assert held.standings[0].median_ape is not None
    alone = contest(entered(*contenders, off=2.0)[1:], TARGET, support, None, judge_alone=True)
    assert held.median_ape == alone.median_ape
    queries = support.queries
    assert_allclose(held.adapted[0].predict(queries).median_ms, alone.adapted[0].predict(queries).median_ms)


def test_who_trains_and_is_as_good_is_believed_by_fewer_adaptations(
    contenders: tuple[FlopsPredictor, Trained], support: LatencyDataset
) -> None:
    held = contest(entered(*contenders, off=0.0), TARGET, support, None)
    assert len(Trained.adapted_to) == 1 + MOST_TRAININGS < (1 + MOST_REFITS) / 2
    assert [type(one) for one in held.adapted] == [Trained, FlopsPredictor], "in the order of the contenders"
    assert_allclose(held.weights, [0.5, 0.5], atol=0.15)


def test_without_a_rival_nobody_is_given_up(
    contenders: tuple[FlopsPredictor, Trained], support: LatencyDataset
) -> None:
    held = contest(entered(*contenders, off=2.0)[:1], TARGET, support, None, judge_alone=True)
    assert len(Trained.adapted_to) == 1 + MOST_TRAININGS
    assert held.weights.tolist() == [1.0]
