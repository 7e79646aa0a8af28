"""Leave-one-out errors are those of adaptations that have not seen the row, and say when there are none."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latcast.schema import MissingEvidenceError, NotFittedError
from predictors.base import LatencyDataset, Predictor
from predictors.evaluation.leave_one_out import leave_one_out_ape
from predictors.kinds.flops import FlopsPredictor
from predictors.testing import DEVICES, NEW_DEVICE, measure, random_graph


def rows_of(count: int, seed: int, *, new: bool = True) -> LatencyDataset:
    rng = np.random.default_rng(seed)
    return measure([random_graph(rng) for _ in range(count)], [NEW_DEVICE] if new else DEVICES, rng)


@pytest.fixture(scope="module")
def base() -> Predictor:
    return FlopsPredictor(folds=2).fit(rows_of(20, 1, new=False))


def test_each_row_is_forecast_by_an_adaptation_to_the_others(base: Predictor) -> None:
    support = rows_of(6, 2)
    expected = []
    for row in range(6):
        adapted = base.adapt(NEW_DEVICE.target, support.subset([other for other in range(6) if other != row]))
        forecast = adapted.predict([support.queries[row]]).median_ms[0]
        expected.append(abs(forecast - support.latency_ms[row]) / support.latency_ms[row])
    assert_allclose(leave_one_out_ape(base, NEW_DEVICE.target, support), expected)


def test_rows_of_one_network_are_left_out_together(base: Predictor) -> None:
    support = rows_of(5, 3)
    once = leave_one_out_ape(base, NEW_DEVICE.target, support)
    slow = replace(support, latency_ms=support.latency_ms * np.array([1, 1, 1, 1, 50.0]))
    twice = slow.subset([0, 1, 2, 3, 4, 4])
    errors = leave_one_out_ape(base, NEW_DEVICE.target, twice)
    assert errors[4] == errors[5] > 0.9, "the second row of the network would have told the first one's latency"
    assert (once < 1).all()


def test_large_supports_are_left_out_in_fifty_parts(base: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    supports = list[int]()
    adapt = FlopsPredictor.adapt

    def counted(self: FlopsPredictor, target: object, support: LatencyDataset, evidence: object = None) -> object:
        supports.append(len(support))
        return adapt(self, target, support, evidence)  # type: ignore[arg-type]

    monkeypatch.setattr(FlopsPredictor, "adapt", counted)
    errors = leave_one_out_ape(base, NEW_DEVICE.target, rows_of(60, 4))
    assert np.isfinite(errors).all()
    assert len(supports) == 50
    assert set(supports) == {58, 59}


def test_one_network_has_no_such_error(base: Predictor) -> None:
    assert np.isnan(leave_one_out_ape(base, NEW_DEVICE.target, rows_of(1, 5))).all()
    assert leave_one_out_ape(base, NEW_DEVICE.target, rows_of(1, 5).subset([])).shape == (0,)


def test_a_base_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(NotFittedError):
        leave_one_out_ape(FlopsPredictor(), NEW_DEVICE.target, rows_of(3, 6))


def test_too_few_other_rows_are_no_error(base: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def demanding(*arguments: object) -> None:
        raise MissingEvidenceError("Adapting takes more rows.")

    monkeypatch.setattr(FlopsPredictor, "adapt", demanding)
    assert np.isnan(leave_one_out_ape(base, NEW_DEVICE.target, rows_of(3, 7))).all()
