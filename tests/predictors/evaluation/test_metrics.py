"""Rank correlations, errors and coverage, compared with other implementations."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import spearmanr

from latcast.schema import InputError
from predictors.base import Prediction
from predictors.evaluation import metrics

FEW_VALUES = hnp.arrays(np.float64, st.integers(2, 30), elements=st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0]))


@given(FEW_VALUES, st.randoms(use_true_random=False))
def test_spearman_agrees_with_scipy_where_values_tie(values: np.ndarray, random: object) -> None:
    other = np.roll(values, 1) + values % 2
    result = metrics.spearman(values, other)
    if np.ptp(values) == 0 or np.ptp(other) == 0:
        assert math.isnan(result)
    else:
        assert result == pytest.approx(spearmanr(values, other).statistic, abs=1e-12)


@given(hnp.arrays(np.float64, st.integers(3, 20), elements=st.floats(0.5, 100.0), unique=True))
def test_rank_correlations_see_only_ranks(values: np.ndarray) -> None:
    for correlation in (metrics.spearman, metrics.kendall):
        assert correlation(values, np.argsort(np.argsort(values))) == pytest.approx(1.0)
        assert correlation(values, -values) == pytest.approx(-1.0)


def test_kendall_counts_pairs() -> None:
    # five concordant pairs and one discordant one of six
    assert metrics.kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    # tau-b: one tie in x only
    assert metrics.kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))


def test_percentage_errors() -> None:
    measured, predicted = [1.0, 2.0, 4.0, 10.0], [1.1, 2.0, 2.0, 10.4]
    assert metrics.mape(measured, predicted) == pytest.approx((0.1 + 0 + 0.5 + 0.04) / 4)
    assert metrics.median_ape(measured, predicted) == pytest.approx(0.07)
    assert metrics.within(measured, predicted, 0.05) == 0.5
    assert metrics.within([100.0], [110.0], 0.1) == 1.0


def test_intervals() -> None:
    assert metrics.interval_coverage([1.0, 2.0, 3.0, 4.0], [1.0, 2.1, 2.0, 1.0], [1.0, 3.0, 3.0, 3.9]) == 0.5
    assert metrics.interval_width([1.0, 2.0, 1.0], [2.0, 2.0, 4.0]) == 2.0


def test_report_is_json_and_claims_no_intervals_without_uncertainty() -> None:
    measured = np.array([1.0, 2.0, 3.0])
    result = metrics.report(measured, Prediction(median_ms=measured * 1.04))
    assert result["rows"] == 3
    assert result["spearman"] == pytest.approx(1.0)
    assert result["within_5"] == 1.0
    assert "interval_coverage" not in result
    claimed = metrics.report(measured, Prediction(median_ms=measured * 1.04, log_std=np.full(3, 0.1)))
    assert claimed["interval_coverage"] == 1.0
    assert claimed["interval_level"] == 0.9
    json.dumps(claimed, allow_nan=False)


@pytest.mark.parametrize("rows", [0, 1])
def test_figures_that_do_not_exist_are_null(rows: int) -> None:
    result = metrics.report(np.ones(rows), Prediction(median_ms=np.ones(rows), log_std=np.ones(rows)))
    assert result["spearman"] is None
    assert result["kendall"] is None
    json.dumps(result, allow_nan=False)


def test_vectors_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="one length"):
        metrics.spearman([1.0, 2.0], [1.0])
    with pytest.raises(InputError):
        metrics.mape([[1.0]], [[1.0]])
