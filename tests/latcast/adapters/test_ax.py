"""What Ax is told: constraints as texts, and outcomes with standard errors."""

import math
from typing import Any

import pytest

from latcast.adapters.ax import complete_batch, outcome_constraints, raw_data
from latcast.constraints import Feasible
from tests.latcast.doubles import FakeTarget


def feasible(target: FakeTarget) -> Feasible:
    return Feasible(target, 5.5, space="toy", limits={"macs": 4.0})  # type: ignore[arg-type]


def test_limits_are_outcome_constraints() -> None:
    assert outcome_constraints(feasible(FakeTarget(float))) == ["latency_ms <= 5.5", "macs <= 4"]


def test_an_outcome_is_the_mean_and_deviation_of_a_log_normal() -> None:
    wanted = feasible(FakeTarget(float, width=1.5))
    judgement = wanted.judge(["10"])
    mean, error = raw_data(judgement, 0, wanted)["latency_ms"]
    spread = judgement.spread[0]
    assert mean == pytest.approx(10.0 * math.exp(spread**2 / 2))
    assert error == pytest.approx(mean * math.sqrt(math.exp(spread**2) - 1))
    assert raw_data(judgement, 0, wanted)["macs"] == pytest.approx((2.0, 0.0))


def test_a_batch_of_trials_is_one_call() -> None:
    class Client:
        def __init__(self) -> None:
            self.completed: dict[int, dict[str, Any]] = {}

        def complete_trial(self, *, trial_index: int, raw_data: dict[str, Any]) -> None:
            self.completed[trial_index] = raw_data

    client, target = Client(), FakeTarget(float)
    trials = {3: {"n": 1}, 4: {"n": 7}}
    scores = {"text_of": lambda one: str(one["n"]), "objectives": lambda text: {"score": float(text)}}
    complete_batch(client, trials, feasible(target), **scores)  # type: ignore[arg-type]
    assert target.calls == 1
    assert client.completed[4]["score"] == 7.0
    assert client.completed[4]["latency_ms"][0] > client.completed[3]["latency_ms"][0]
