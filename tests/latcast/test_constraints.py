"""Limits that know how sure a forecast is: probabilities, quantiles, and what is worth measuring."""

import math
from statistics import NormalDist

import pytest

from latcast.constraints import Feasible, judged, worth_measuring
from latcast.loops.forecasts import forecasts_of_rows
from latcast.schema import InputError
from tests.latcast.doubles import FakeTarget


def feasible(target: FakeTarget, limit_ms: float, probability: float = 0.9, **options: object) -> Feasible:
    return Feasible(target, limit_ms, probability, space="toy", **options)  # type: ignore[arg-type]


def test_probability_and_bound_are_those_of_the_forecast_distribution() -> None:
    judgement = feasible(FakeTarget(float, width=1.5), 12.0, 0.9).judge(["10", "12", "14"])
    spread = math.log(1.5) / NormalDist().inv_cdf(0.95)
    expected = [NormalDist(math.log(ms), spread).cdf(math.log(12.0)) for ms in (10.0, 12.0, 14.0)]
    assert judgement.probability.tolist() == pytest.approx(expected)
    assert judgement.probability[1] == pytest.approx(0.5)
    bounds = [math.exp(NormalDist(math.log(ms), spread).inv_cdf(0.9)) for ms in (10.0, 12.0, 14.0)]
    assert judgement.bound_ms.tolist() == pytest.approx(bounds)
    kept = [probability >= 0.9 for probability in expected]
    assert judgement.feasible.tolist() == kept == [value <= 0 for value in judgement.violations["latency_ms"].tolist()]


def test_without_a_claim_the_median_decides_and_nothing_is_feasible_without_a_forecast() -> None:
    target = FakeTarget(float)
    target.measured = ["9", "11"]
    judgement = feasible(target, 10.0).judge(["9", "11", "bad"])
    assert judgement.feasible.tolist() == [True, False, False]
    assert judgement.probability[:2].tolist() == [1.0, 0.0]
    assert judgement.violations["latency_ms"][2] == math.inf
    assert judgement.unsure.tolist() == [False, False, False]


def test_other_limits_count_as_well() -> None:
    target = FakeTarget(lambda _: 1.0)
    judgement = feasible(target, 10.0, limits={"macs": 2.0}).judge(["ab", "abc"])
    assert judgement.feasible.tolist() == [True, False]
    assert judgement.violations["macs"].tolist() == [0.0, 0.5]


def test_what_a_measurement_decides_is_measured_within_the_budget() -> None:
    target = FakeTarget(lambda text: float(text.split("/")[0]), true_ms_of=lambda text: float(text.split("/")[1]))
    wanted = feasible(target, 10.0, measure_when_unsure=2)
    texts = ["5/5", "9.5/9", "10/11", "9.4/8", "20/20"]
    judgement = wanted.judge(texts)
    assert target.measured == ["10/11", "9.5/9"]  # those that are nearest to even
    assert judgement.measured_now == 2
    assert judgement.feasible.tolist() == [True, True, False, False, False]
    assert wanted.budget_left == 0
    assert wanted.judge(texts).measured_now == 0


def test_what_breaks_another_limit_is_not_worth_measuring() -> None:
    target = FakeTarget(lambda _: 10.0)
    feasible(target, 10.0, measure_when_unsure=5, limits={"macs": 1.0}).judge(["a", "bb"])
    assert target.measured == ["a"]


def test_a_search_that_does_not_wait_sees_the_measurement_later() -> None:
    target = FakeTarget(lambda _: 10.0, true_ms_of=lambda _: 9.0)
    wanted = feasible(target, 10.0, measure_when_unsure=1, wait=False)
    assert not wanted.judge(["a"]).feasible[0]
    assert wanted.judge(["a"]).feasible[0]
    assert wanted.asked == ["a"]


def test_what_promises_most_is_measured_until_nothing_better_can_be_found() -> None:
    target = FakeTarget(lambda text: float(text.split("/")[0]), true_ms_of=lambda text: float(text.split("/")[1]))
    texts, scores = ["5/5", "9.5/11", "9.8/9.9", "10.2/9", "20/9"], [60.0, 72.0, 71.0, 70.0, 90.0]
    wanted = feasible(target, 10.0, measure_when_unsure=10)
    pick = wanted.pick(texts, scores)
    assert (pick.place, pick.network) == (2, "9.8/9.9")
    assert pick.measured == target.measured == ["9.5/11", "9.8/9.9"]  # better ones would not keep the limit
    assert pick.judgement.feasible.tolist() == [True, False, True, False, False]
    assert wanted.budget_left == 8
    again = feasible(target, 10.0, measure_when_unsure=1).pick(texts, scores)
    assert (again.network, again.measured) == ("9.8/9.9", [])


def test_a_pick_without_a_budget_is_the_best_that_can_be_trusted() -> None:
    target = FakeTarget(float)
    assert feasible(target, 10.0).pick(["5", "9.9", "11"], [1.0, 3.0, 4.0]).network == "5"
    nothing = feasible(target, 1.0).pick(["5"], [1.0])
    assert (nothing.place, nothing.network) == (None, None)
    assert target.measured == []
    with pytest.raises(InputError, match="2 networks, but 1 score:"):
        feasible(target, 1.0).pick(["5", "6"], [1.0])


def test_a_pick_keeps_other_limits_as_well() -> None:
    target = FakeTarget(lambda _: 10.0, true_ms_of=lambda _: 9.0)
    pick = feasible(target, 10.0, measure_when_unsure=5, limits={"macs": 1.0}).pick(["bb", "a"], [2.0, 1.0])
    assert (pick.network, pick.measured) == ("a", ["a"])


def test_what_is_worth_measuring_weighs_gain_by_probability() -> None:
    scores = [1.0, 2.0, 4.0, 9.0]
    assert worth_measuring([0.95, 0.8, 0.5, 0.15], scores, measured=[False] * 4) == 2  # .8, 1.5 and 1.2 over 1
    assert worth_measuring([0.95, 0.8, 0.5, 0.15], scores, measured=[False, False, True, False]) == 3
    assert worth_measuring([0.95, 0.8, 0.0, 0.05], scores, measured=[False] * 4) == 1  # hopeless beyond
    assert worth_measuring([0.95, 0.0, math.nan, 0.0], scores, measured=[False] * 4) is None
    assert worth_measuring([0.4, 0.4, 0.0, 0.0], scores, measured=[False] * 4) == 1  # nothing can be trusted yet
    assert worth_measuring([], [], measured=[]) is None


def test_limits_that_make_no_sense_are_refused() -> None:
    forecasts = forecasts_of_rows([], level=0.9, facts={})
    for limit, probability in ((0.0, 0.9), (1.0, 1.0)):
        with pytest.raises(InputError, match="positive number"):
            judged(forecasts, limit, probability)
    with pytest.raises(InputError, match="'macs'"):
        judged(forecasts, 1.0, limits={"macs": 1.0})
    with pytest.raises(InputError, match="'colour' cannot"):
        feasible(FakeTarget(float), 1.0, limits={"colour": 1.0})
    with pytest.raises(InputError, match="`space`"):
        Feasible(FakeTarget(float), 1.0, measure_when_unsure=1)  # type: ignore[arg-type]
