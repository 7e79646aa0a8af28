"""When an adaptation is called poor: by its left-out error beside what its predictor's training recorded."""

from typing import Any

import pytest

from predictors.base import Provenance
from predictors.kinds.flops import FlopsPredictor
from predictors.registry import pretrained
from service.learning.training_record import is_poor, recorded_error, warning_of
from tests.service.helpers import TARGET


def recorded(metrics: dict[str, Any]) -> float | None:
    predictor = FlopsPredictor()
    predictor.provenance_ = Provenance(metrics=metrics)
    return recorded_error(predictor, TARGET)


def test_held_out_targets_count_before_held_out_networks() -> None:
    assert recorded({}) is None
    assert recorded({"cross_validation": {"median_ape": 0.04}}) == 0.04
    assert recorded({"cross_validation": {"median_ape": 0.04}, "held_out_targets": {"median_ape": 0.1}}) == 0.1


def test_a_target_that_is_called_like_one_of_training_has_its_error() -> None:
    assert recorded({"families": {"median_ape": 0.06}, "known_by_target": {TARGET.label: {"median_ape": 0.14}}}) == 0.14


def test_of_several_machines_with_such_a_target_the_worst_counts() -> None:
    label = TARGET.label
    by_target = {f"{label}, machine {number}": {"median_ape": error} for number, error in ((1, 0.04), (2, 0.12))}
    assert recorded({"known_by_target": {**by_target, f"{label} more, machine 1": {"median_ape": 0.3}}}) == 0.12


def test_the_shipped_predictor_has_a_record() -> None:
    error = recorded_error(pretrained("universal-graphs"), TARGET)
    assert error is not None
    assert 0.03 < error < 0.2


@pytest.mark.parametrize(
    ("error", "support", "poor"),
    [(0.3, 10, True), (0.16, 10, False), (0.12, 10, False), (None, 10, False), (0.9, 3, False)],
)
def test_what_is_poor(error: float | None, support: int, poor: bool) -> None:
    figures = {"support_loo_median_ape": error, "record_median_ape": 0.1, "support": support}
    assert is_poor(figures) is poor
    assert (warning_of(figures) is not None) is poor


def test_nothing_is_said_where_training_recorded_nothing() -> None:
    assert warning_of({"support_loo_median_ape": 5.0, "record_median_ape": None, "support": 50}) is None


def test_the_warning_has_both_figures() -> None:
    warning = warning_of({"support_loo_median_ape": 0.31, "record_median_ape": 0.06, "support": 10})
    assert warning is not None
    assert "missed by 31% (median), where its predictor missed those held out of its training by 6%" in warning
    assert "6%" in warning
