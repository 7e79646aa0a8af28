"""Trials of Optuna know their constraints; of version 5 directly, of version 4 through `constraints_func`."""

from typing import Any

import pytest

from latcast.adapters.optuna import ask_batch, constrain, constraints_of
from latcast.constraints import Feasible
from tests.latcast.doubles import FakeTarget

optuna = pytest.importorskip("optuna")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def feasible(target: FakeTarget) -> Feasible:
    return Feasible(target, 5.0, space="toy", limits={"macs": 1.0})  # type: ignore[arg-type]


def text_of(trial: Any) -> str:
    return str(trial.suggest_int("n", 1, 9))


def test_a_study_finds_the_largest_that_keeps_its_limits_asked_for_in_batches() -> None:
    target = FakeTarget(float, width=1.001)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(4):
        trials, texts, _ = ask_batch(study, 8, feasible(target), text_of)
        for trial, text in zip(trials, texts, strict=True):
            study.tell(trial, float(text))
    assert target.calls == 4
    if hasattr(optuna.Trial, "set_constraint"):
        assert study.best_trial.value == 4.0


def test_a_trial_is_told_each_violation() -> None:
    study = optuna.create_study()
    trial = study.ask()
    judgement = constrain(trial, feasible(FakeTarget(float)), "8")
    assert trial.user_attrs["latency_ms"] == 8.0
    if hasattr(trial, "set_constraint"):
        assert any("macs" in str(attribute) for attribute in study.trials[0].system_attrs)
    assert set(judgement.violations) == {"latency_ms", "macs"}


def test_version_4_reads_constraints_from_the_trial() -> None:
    class OldTrial:
        def __init__(self) -> None:
            self.user_attrs: dict[str, Any] = {}

        def set_user_attr(self, name: str, value: Any) -> None:
            self.user_attrs[name] = value

    trial = OldTrial()
    assert constraints_of(trial) == (float("inf"),)
    constrain(trial, feasible(FakeTarget(float, width=1.0)), "8")
    assert constraints_of(trial) == pytest.approx((0.6, 0.0))
