"""Costs of options out of whole latencies: exact where latency is a sum, with errors where it is not."""

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.inference.additive_costs import fit_costs

RNG = np.random.default_rng(0)
OPTIONS = (3, 4)
COSTS = (np.array([0.0, 1.0, 5.0]), np.array([2.0, 0.5, 4.0, 0.5]))


def sums(choices: np.ndarray) -> np.ndarray:
    return 10.0 + sum(np.where(column < 0, 0.0, cost[column]) for column, cost in zip(choices.T, COSTS, strict=True))


def test_a_sum_is_found_again() -> None:
    choices = np.stack([RNG.integers(0, count, 60) for count in OPTIONS], axis=1)
    fitted = fit_costs(choices, OPTIONS, sums(choices))
    assert fitted.overhead_ms == pytest.approx(10.5)
    assert fitted.costs_ms[0] == pytest.approx([0.0, 1.0, 5.0])
    assert fitted.costs_ms[1] == pytest.approx([1.5, 0.0, 3.5, 0.0])
    assert fitted.explained == pytest.approx(1.0)
    assert max(error.max() for error in fitted.errors_ms) < 1e-6


def test_errors_are_those_of_the_noise() -> None:
    choices = np.stack([RNG.integers(0, count, 4000) for count in OPTIONS], axis=1)
    fitted = fit_costs(choices, OPTIONS, sums(choices) + RNG.normal(0, 1.0, 4000))
    assert fitted.errors_ms[0][2] == pytest.approx(np.sqrt(2 / (4000 / 3)), rel=0.1)
    assert abs(fitted.costs_ms[0][2] - 5.0) < 4 * fitted.errors_ms[0][2]
    assert 0.7 < fitted.explained < 0.95


def test_a_position_may_be_absent_and_an_option_unseen() -> None:
    choices = np.stack([RNG.integers(0, 3, 90), RNG.integers(-1, 3, 90)], axis=1)
    fitted = fit_costs(choices, OPTIONS, sums(choices))
    assert fitted.overhead_ms == pytest.approx(10.0)
    assert fitted.costs_ms[1][:3] == pytest.approx([2.0, 0.5, 4.0])
    assert np.isnan(fitted.costs_ms[1][3])
    assert np.isnan(fitted.errors_ms[1][3])


def test_too_few_latencies_are_refused() -> None:
    choices = np.stack([RNG.integers(0, count, 5) for count in OPTIONS], axis=1)
    needed = 1 + 2 + 3 + 2  # an overhead, each option but one of a position, and two to spare
    with pytest.raises(InputError, match=f"5 latencies cannot tell what 7 options cost: it takes {needed},"):
        fit_costs(choices, OPTIONS, sums(choices))
