"""The document of a benchmark: figures are averaged over seeds, then over models; missing ones are null."""

import pytest

from predictors.evaluation.onnx import FailedModel, Forecast, document


def _forecast(name, median, interval=(0.5, 1.5)):
    return Forecast(name=name, median_ms=median, interval_ms=interval, known_share=0.5)


def test_figures_are_averaged_over_the_seeds_of_each_model():
    forecasts = [_forecast("a", 1.05), _forecast("a", 1.25, (1.1, 2.0)), _forecast("b", 1.9)]
    written = document(
        {"a": 1.0, "b": 2.0, "never": 3.0}, forecasts, [], differences=[0.01, 0.03], precisions={"b": "int8"}
    )
    assert [model["precision"] for model in written["models"]] == ["", "int8"]
    assert [model["name"] for model in written["models"]] == ["a", "b"]
    assert written["models"][0]["forecast_ms"] == pytest.approx(1.15)
    assert written["models"][0]["interval_ms"] == pytest.approx([0.8, 1.75])
    assert written["mape"] == written["median_ape"] == pytest.approx((0.15 + 0.05) / 2)
    assert (written["within_10"], written["within_20"]) == (pytest.approx(0.75), pytest.approx(0.75))
    assert written["coverage_90"] == pytest.approx((0.5 + 0.0) / 2)
    assert written["spearman"] == pytest.approx(1.0)
    assert written["repeatability"] == pytest.approx(0.02)


def test_figures_that_do_not_exist_are_null():
    empty = document({}, [], [FailedModel(name="x", stage="load", message="m")], differences=[])
    assert empty["failed"] == [{"name": "x", "stage": "load", "message": "m"}]
    assert all(empty[key] is None for key in empty if key not in ("models", "failed"))
    silent = document({"a": 1.0}, [_forecast("a", 1.0, None)], [], differences=[])
    assert silent["models"][0]["interval_ms"] is None
    assert silent["coverage_90"] is None
