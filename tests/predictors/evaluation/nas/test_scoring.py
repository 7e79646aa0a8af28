"""Figures of an adapted predictor on one target, and their means over seeds and targets."""

import numpy as np
import pytest

from predictors.evaluation.nas.protocol import Split
from predictors.evaluation.nas.scoring import METRICS, score, summarise
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import NEW_DEVICE, default_workload


def test_what_is_not_claimed_is_null() -> None:
    row = dict.fromkeys(METRICS, 0.5) | {"device": "a", "seed": 0, "coverage_90": None}
    summary = summarise([row, {**row, "seed": 1, "kendall": None}])
    assert summary["targets"]["a"]["coverage_90"] is None
    assert summary["mean"]["coverage_90"] is None
    assert summary["targets"]["a"]["kendall"] == {"mean": 0.5, "std": 0.0}


def test_means_are_over_seeds_and_each_seeds_mean_over_targets() -> None:
    plain = dict.fromkeys(METRICS, 0.0)
    values = {("a", 0): 1.0, ("b", 0): 3.0, ("a", 1): 2.0, ("b", 1): 6.0}
    rows = [{**plain, "device": device, "seed": seed, "mape": mape} for (device, seed), mape in values.items()]
    summary = summarise(rows)
    assert summary["targets"]["a"]["mape"] == pytest.approx({"mean": 1.5, "std": np.std([1, 2], ddof=1)}, rel=1e-5)
    assert summary["mean"]["mape"] == pytest.approx({"mean": 3.0, "std": np.std([2, 4], ddof=1)}, rel=1e-5)


def test_a_predictor_is_adapted_and_judged_on_the_rest() -> None:
    data = default_workload()
    fitted = FlopsPredictor().fit(data.train)
    split = Split(support=data.support, evidence=None, test=data.new_held_out)
    figures = score(fitted, NEW_DEVICE.target, split)
    assert set(figures) == set(METRICS)
    adapted = fitted.adapt(NEW_DEVICE.target, data.support).predict(data.new_held_out.queries)
    errors = np.abs(adapted.median_ms / data.new_held_out.latency_ms - 1)
    assert figures["mape"] == pytest.approx(errors.mean())
    assert figures["within_10"] == pytest.approx((errors <= 0.1).mean())
    low, high = adapted.interval_ms(0.9)
    assert figures["interval_width_90"] == pytest.approx(np.median((high - low) / adapted.median_ms))
