"""Who is believed: the record with few rows, the rows with many, and nobody who is far behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from predictors.base import FloatArray, Prediction
from predictors.evaluation.leave_one_out import LeftOut
from predictors.kinds.stack.weights import (
    interval_score,
    is_hopeless,
    mixed_prediction,
    stack_weights,
    tail_scale,
    together_ms,
)


def left_out(error: float, count: int, *, claimed: float | None = None, seed: int = 0) -> LeftOut:
    """Forecasts of latencies of 1 ms with such a spread of errors, and that or another width."""
    errors = np.random.default_rng(seed).normal(0, error, count)
    return LeftOut(median_ms=np.exp(errors), width=np.full(count, error if claimed is None else claimed))


def ones(count: int) -> FloatArray:
    return np.ones(count)


def test_without_rows_the_record_decides_and_without_records_all_are_equal() -> None:
    nothing = [LeftOut.nothing(1), LeftOut.nothing(1)]
    weights = stack_weights(nothing, ones(1), [0.05, 0.1])
    assert_allclose(weights, [8 / 9, 1 / 9])
    assert_allclose(stack_weights(nothing, ones(1), [None, None]), [0.5, 0.5])
    assert stack_weights(nothing, ones(1), [0.02, None])[0] >= 0.5, "who has no record is as good as the worst"


def test_with_five_rows_alike_forecasts_do_not_overturn_the_record() -> None:
    drawn = [stack_weights([left_out(0.06, 5, seed=seed), left_out(0.06, 5, seed=99 + seed)], ones(5), [0.04, 0.08])
             for seed in range(20)]  # fmt: skip
    assert np.mean([weights[0] > 0.5 for weights in drawn]) >= 0.85


def test_rows_that_speak_clearly_overturn_the_record() -> None:
    weights = stack_weights([left_out(0.3, 10), left_out(0.01, 10)], ones(10), [0.04, 0.08])
    assert weights.tolist() == [0.0, 1.0]


def test_a_lead_that_may_be_chance_does_not_overturn_the_record_and_a_sure_one_does() -> None:
    """Both forecast noise of a tenth; the rival happens to be a little nearer at some rows of twenty."""
    good, lucky = left_out(0.1, 20), left_out(0.1, 20)
    lucky.median_ms[::3] **= 0.6
    doubted = stack_weights([good, lucky], ones(20), [0.02, 0.035])[1]
    assert doubted < 0.45
    assert stack_weights([good, lucky], ones(20), [0.03, 0.03])[1] > 0.5, "without a better record it leads"
    assert stack_weights([left_out(0.1, 20), left_out(0.02, 20)], ones(20), [0.02, 0.035])[1] == 1.0


def test_one_more_row_changes_little() -> None:
    pair = [left_out(0.05, 6), left_out(0.06, 6, seed=1)]
    fewer = [LeftOut(median_ms=one.median_ms[:5], width=one.width[:5]) for one in pair]
    difference = stack_weights(pair, ones(6), [0.05, 0.06]) - stack_weights(fewer, ones(5), [0.05, 0.06])
    assert np.abs(difference).max() < 0.25


def test_one_outlier_decides_nothing() -> None:
    good, fair = left_out(0.02, 20), left_out(0.06, 20, seed=1)
    good.median_ms[3] = 1.5
    assert stack_weights([good, fair], ones(20), [None, None])[0] > 0.5


def test_predictors_that_claim_nothing_are_judged_by_their_errors() -> None:
    silent = left_out(0.02, 15)
    silent.width[:] = np.nan
    assert stack_weights([silent, left_out(0.2, 15, seed=1)], ones(15), [None, None])[0] == 1.0


def test_rows_that_one_has_not_forecast_say_nothing_about_it() -> None:
    good, bad = left_out(0.03, 20), left_out(0.5, 20, seed=1)
    assert_allclose(stack_weights([good, bad, first(good, 6)], ones(20), [None, None, None]), [0.5, 0.0, 0.5])
    assert stack_weights([good, first(bad, 6)], ones(20), [None, None]).tolist() == [1.0, 0.0]


def test_who_forecast_nothing_silences_nobody_and_is_believed_by_its_record_alone() -> None:
    good, bad, nothing = left_out(0.03, 20), left_out(0.5, 20, seed=1), LeftOut.nothing(20)
    assert stack_weights([good, bad, nothing], ones(20), [0.1, 0.1, 0.3]).tolist() == [1.0, 0.0, 0.0]
    assert stack_weights([good, nothing], ones(20), [None, None]).tolist() == [1.0, 0.0], "an unknown is no rival"
    assert stack_weights([bad, nothing], ones(20), [0.1, 0.1]) == pytest.approx([0.5, 0.5], abs=0.01), (
        "where all that were judged are bad it may be as bad: it earns nothing by not having been judged"
    )
    assert stack_weights([nothing, bad], ones(20), [0.05, 0.1])[0] == pytest.approx(8 / 9, abs=0.01)


def test_rows_that_the_best_has_not_forecast_count_for_the_others() -> None:
    """Nobody forecast all rows: those that only two of the three have tell these apart."""
    best, fair, bad = (left_out(error, 20, seed=seed) for seed, error in enumerate((0.03, 0.05, 0.6)))
    apart = [except_for(best, slice(0, 14)), except_for(fair, slice(19, 20)), except_for(bad, slice(18, 19))]
    weights = stack_weights(apart, ones(20), [None, None, None])
    assert weights[2] == 0.0
    assert weights[0] > 0.1


def test_rows_that_nobody_forecast_change_nothing() -> None:
    pair = [left_out(0.05, 9), left_out(0.06, 9, seed=1)]
    longer = [except_for(left_out(error, 12, seed=seed), slice(9, 12)) for seed, error in enumerate((0.05, 0.06))]
    for one, two in zip(pair, longer, strict=True):
        two.median_ms[:9] = one.median_ms
    assert_allclose(stack_weights(longer, ones(12), [0.05, 0.06]), stack_weights(pair, ones(9), [0.05, 0.06]))


@given(
    errors=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5),
    records=st.lists(st.none() | st.floats(0.01, 1.0), min_size=5, max_size=5),
    data=st.data(),
)
def test_weights_are_shares_whoever_forecast_what(
    errors: list[float], records: list[float | None], data: st.DataObject
) -> None:
    count = 12
    judged = [
        except_for(left_out(error, count, seed=seed), data.draw(st.lists(st.integers(0, count - 1))))
        for seed, error in enumerate(errors)
    ]
    weights = stack_weights(judged, ones(count), records[: len(errors)])
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    believed = np.flatnonzero(weights)
    scale = tail_scale([judged[place] for place in believed], weights[believed], ones(count))
    assert 0.5 <= scale <= 4.0
    worse = [*judged, LeftOut(median_ms=np.full(count, 40.0), width=np.full(count, 0.01))]
    beside = stack_weights(worse, ones(count), [*records[: len(errors)], 0.01])
    if any(np.isfinite(one.median_ms).sum() >= 8 for one in judged):
        assert beside[-1] == 0.0, "who is off by a factor of 40 at every row is not believed beside one that was judged"


def test_a_mixture_is_judged_by_those_of_its_parts_that_forecast_a_row() -> None:
    first_part = LeftOut(median_ms=np.array([1.0, 2.0, np.nan, np.nan]), width=np.full(4, 0.1))
    second = LeftOut(median_ms=np.array([np.nan, 4.0, 8.0, np.nan]), width=np.full(4, 0.1))
    weights = np.array([0.25, 0.75])
    assert_allclose(together_ms([first_part, second], weights), [np.nan, 2**1.75, 8.0, np.nan])
    alike = [LeftOut(median_ms=np.full(30, 1.5), width=np.full(30, 0.05)), LeftOut.nothing(30)]
    assert tail_scale(alike, np.array([0.6, 0.4]), ones(30)) == 4.0, "their errors are eight times the width"
    assert tail_scale(alike, np.array([0.4, 0.6]), ones(30)) < 1.2, "of the mixture little is known"


def except_for(one: LeftOut, rows: slice | list[int]) -> LeftOut:
    """The same without forecasts of these rows."""
    one.median_ms[rows] = one.width[rows] = np.nan
    return one


def first(one: LeftOut, count: int) -> LeftOut:
    """The same while only some rows were judged."""
    later = np.arange(len(one.median_ms)) >= count
    return LeftOut(median_ms=np.where(later, np.nan, one.median_ms), width=np.where(later, np.nan, one.width))


def test_who_is_far_behind_is_given_up_after_some_rows_and_not_before() -> None:
    good, bad = left_out(0.03, 20), left_out(0.6, 20, seed=1)
    assert is_hopeless(first(bad, 7), good, ones(20), [None, None])
    assert not is_hopeless(first(bad, 3), good, ones(20), [None, None])
    assert not is_hopeless(first(good, 7), bad, ones(20), [None, None])
    assert not is_hopeless(LeftOut.nothing(20), good, ones(20), [None, None])


def test_nobody_is_given_up_who_would_have_been_believed() -> None:
    """Pairs of all kinds: nearly all that are given up after a third of the rows have no weight after all of them."""
    rng, given_up, wrong = np.random.default_rng(0), 0, 0
    for seed in range(300):
        errors, records = np.exp(rng.uniform(np.log(0.02), np.log(0.4), 2)), rng.uniform(0.02, 0.2, 2).tolist()
        pair = [left_out(errors[0], 20, seed=2 * seed), left_out(errors[1], 20, seed=2 * seed + 1)]
        if is_hopeless(first(pair[0], 7), pair[1], ones(20), records):
            given_up += 1
            wrong += bool(stack_weights(pair, ones(20), records)[0] > 0)
    assert given_up > 50
    assert wrong <= 0.02 * given_up


def test_moments_are_those_of_the_mixture() -> None:
    rng, weights = np.random.default_rng(0), np.array([0.3, 0.7])
    parts = [Prediction(median_ms=np.array([2.0]), log_std=np.array([0.1])),
             Prediction(median_ms=np.array([3.0]), log_std=np.array([0.1]), tail_scale=2.0)]  # fmt: skip
    mixture = mixed_prediction(parts, weights, scale=1.5)
    first = rng.random(400_000) < weights[0]
    drawn = np.where(first, rng.normal(np.log(2), 0.1, 400_000), rng.normal(np.log(3), 0.2, 400_000))
    assert mixture.log_std is not None
    assert np.log(mixture.median_ms[0]) == pytest.approx(drawn.mean(), abs=0.002)
    assert mixture.log_std[0] == pytest.approx(drawn.std(), abs=0.002)
    assert mixture.tail_scale == 1.5


def test_who_claims_no_width_takes_the_others_and_nobody_claims_none() -> None:
    silent = Prediction(median_ms=np.array([2.0]))
    stated = Prediction(median_ms=np.array([2.0]), log_std=np.array([0.2]))
    both = mixed_prediction([silent, stated], np.array([0.5, 0.5]), scale=1.0)
    assert both.log_std is not None
    assert both.log_std[0] == pytest.approx(0.2)
    assert mixed_prediction([silent, silent], np.array([0.5, 0.5]), scale=1.0).log_std is None


def test_widths_follow_the_errors() -> None:
    weights = np.array([1.0])
    narrow, right, wide = (
        tail_scale([left_out(0.1, 40, claimed=claimed)], weights, ones(40)) for claimed in (0.02, 0.1, 0.5)
    )
    assert narrow > 3
    assert right == pytest.approx(1.0, abs=0.15)
    assert wide < 0.6


def test_the_interval_score_punishes_width_and_what_lies_outside() -> None:
    inside = interval_score(np.array([1.0]), np.exp([-0.1]), np.exp([0.1]))
    outside = interval_score(np.exp([0.2]), np.exp([-0.1]), np.exp([0.1]))
    assert inside == pytest.approx(0.2)
    assert outside == pytest.approx(0.2 + 20 * 0.1)
