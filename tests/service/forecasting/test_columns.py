"""Single answers as columns."""

import numpy as np

from latcast.schema import InputError
from service.forecasting.columns import Responder, answers_of
from service.forecasting.types import Forecast

PREDICTED = Forecast(
    latency_ms=2.0, interval_ms=(1.0, 4.0), source="predicted", coverage=0.5, adapted=True, predictor="p", kind="k",
    measurements=7,
)  # fmt: skip
MEASURED = Forecast(
    latency_ms=3.0, interval_ms=None, source="measured", coverage=1.0, adapted=True, measurements=1, statistic="mean",
    origin="o",
)  # fmt: skip


def test_each_answer_is_a_place_in_every_column() -> None:
    error = InputError("no")
    answers = answers_of([PREDICTED, error, MEASURED])
    np.testing.assert_array_equal(answers.latency_ms, [2.0, np.nan, 3.0])
    np.testing.assert_array_equal(answers.low_ms, [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(answers.high_ms, [4.0, np.nan, np.nan])
    assert answers.measured.tolist() == [False, False, True]
    assert answers.coverage.tolist() == [0.5, 0.0, 1.0]
    assert answers.errors == {1: error}
    assert answers.statistics == {2: "mean"}
    assert answers.responder == Responder(predictor="p", kind="k", adapted=True, measurements=7)


def test_several_predictors_are_none_in_particular() -> None:
    other = Forecast(latency_ms=2.0, interval_ms=None, source="predicted", coverage=1.0, adapted=False, predictor="q")
    assert answers_of([PREDICTED, other]).responder is None
    assert answers_of([MEASURED]).responder is None
