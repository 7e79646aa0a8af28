"""What is written at once fits the models that the API describes."""

import json

import numpy as np

from latcast.schema import InputError
from service.api.forecast_json import columns_json, item_lines, items_json
from service.api.schemas import PredictColumnsOut, PredictOut
from service.forecasting.columns import Answers, Responder

ANSWERS = Answers(
    latency_ms=np.array([1.5, 2e-7, np.nan, 3.0]),
    low_ms=np.array([1.0, np.nan, np.nan, 2.5]),
    high_ms=np.array([2.0, np.nan, np.nan, 3.5]),
    measured=np.array([False, True, False, True]),
    coverage=np.array([0.5, 1.0, 0.0, 1.0]),
    statistics={1: 'a "mean"', 3: "median"},
    errors={2: InputError("a text that is none")},
    responder=Responder(predictor='p"', kind="k", adapted=True, measurements=7, warning="poor", descriptor="counters"),
    origin='ours, "CC0"',
)


def test_items() -> None:
    plain = json.loads(items_json('t"', 0.9, item_lines(ANSWERS)))
    PredictOut.model_validate(plain)
    first, second, third, fourth = plain["items"]
    assert first == {
        "latency_ms": 1.5, "interval_ms": [1.0, 2.0], "source": "predicted", "coverage": 0.5, "adapted": True,
        "predictor": 'p"', "kind": "k", "measurements": 7, "statistic": None, "origin": 'ours, "CC0"',
        "unknown_operators": [], "remarks": [], "warning": "poor", "descriptor": "counters",
    }  # fmt: skip
    assert (second["latency_ms"], second["interval_ms"], second["statistic"]) == (2e-7, None, 'a "mean"')
    assert (second["predictor"], second["measurements"], second["source"]) == (None, 1, "measured")
    assert third["error"]["detail"] == "a text that is none"
    assert (fourth["interval_ms"], fourth["statistic"]) == ([2.5, 3.5], "median")


def test_columns() -> None:
    plain = json.loads(columns_json("t", 0.5, ANSWERS, {"macs": [1, None, 2, 3]}))
    PredictColumnsOut.model_validate(plain)
    assert plain["latency_ms"] == [1.5, 2e-7, None, 3.0]
    assert plain["low_ms"] == [1.0, None, None, 2.5]
    assert plain["measured"] == [False, True, False, True]
    assert list(plain["errors"]) == ["2"]
    assert plain["macs"] == [1, None, 2, 3]
    assert (plain["predictor"], plain["warning"], plain["level"]) == ('p"', "poor", 0.5)
    assert plain["descriptor"] == "counters"
