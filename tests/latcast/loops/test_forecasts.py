"""Answers as columns: numbers in order, errors by place, and facts that answers share."""

import builtins
import math
from typing import Any

import numpy as np
import pytest

from latcast.loops.forecasts import column, facts_of, forecasts_of_rows, rows_of_columns, rows_of_items
from latcast.schema import InvalidArchitectureError, LatcastError

PROBLEM = {"type": "urn:latcast:problem:invalid-architecture", "status": 422, "detail": "No cell."}
ANSWER = {
    "latency_ms": [1.5, None], "low_ms": [1.0, None], "high_ms": [2.0, None], "measured": [True, False],
    "coverage": [1.0, 0.0], "errors": {"1": PROBLEM},
}  # fmt: skip
FACTS = {"predictor": "p", "kind": "k", "adapted": True, "measurements": 2, "origin": ""}


def test_columns_keep_order_and_errors() -> None:
    forecasts = forecasts_of_rows(list(rows_of_columns(ANSWER)), level=0.9, facts=FACTS)
    assert isinstance(forecasts.latency_ms, np.ndarray)
    assert forecasts.latency_ms[0] == 1.5
    assert math.isnan(forecasts.latency_ms[1])
    assert forecasts.measured.tolist() == [True, False]
    assert isinstance(forecasts.errors[1], InvalidArchitectureError)
    assert len(forecasts) == 2
    with pytest.raises(LatcastError, match="No cell"):
        forecasts.require_all()


def test_single_answers_become_the_same_rows() -> None:
    answers = [
        {"latency_ms": 1.5, "interval_ms": [1.0, 2.0], "source": "measured", "coverage": 1.0},
        {"error": PROBLEM},
        {"latency_ms": 3.0, "interval_ms": None, "source": "predicted", "coverage": 0.5},
    ]
    first, second, third = rows_of_items(answers)
    assert first == (1.5, 1.0, 2.0, True, 1.0)
    assert isinstance(second, InvalidArchitectureError)
    assert isinstance(third, tuple)
    assert math.isnan(third[1])


def test_nothing_is_no_rows() -> None:
    assert len(forecasts_of_rows([], level=0.9, facts={}).require_all()) == 0


def test_facts_are_those_that_predictions_share() -> None:
    other = {**FACTS, "measurements": 3}
    measured = dict.fromkeys(FACTS)
    assert facts_of([FACTS, measured]) == FACTS
    assert facts_of([FACTS, other]) == {**FACTS, "measurements": None}
    assert facts_of([measured]) == dict.fromkeys(FACTS)


def test_without_numpy_columns_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "numpy":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert column((1.0, 2.0)) == [1.0, 2.0]
