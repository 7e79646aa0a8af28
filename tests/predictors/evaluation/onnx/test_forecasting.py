"""Draws, forecasts, figures and hold-outs, on analytic devices."""

import math
from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import Architecture, InputError, UnsupportedGraphError
from predictors.base import LatencyDataset, Query
from predictors.evaluation.onnx import HOLDOUTS, Draw, FailedModel, Forecast, Measured, document, judge
from predictors.evaluation.onnx.forecasting import forecast_rest, split_readable
from predictors.kinds.flops import FlopsPredictor
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import random_graph


@pytest.fixture(scope="module")
def base():
    rng = np.random.default_rng(1)
    return FlopsPredictor().fit(measure([random_graph(rng) for _ in range(40)], DEVICES, rng))


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(2)
    data = measure([random_graph(rng) for _ in range(24)], [NEW_DEVICE], rng)
    rows = zip(data.queries, data.latency_ms.tolist(), strict=True)
    return [
        Measured(name=f"m{index}", query=query, latency_ms=ms, support_ms=ms, noise_log=0.01)
        for index, (query, ms) in enumerate(rows)
    ]


@pytest.mark.parametrize("sampler", ["random", "variance"])
def test_what_is_told_is_not_forecast_and_every_model_is_by_some_seed(base, models, sampler):
    seen = [
        {one.name for one in forecast_rest(models, base, sampler=sampler, shots=10, seed=seed)} for seed in range(10)
    ]
    assert all(len(names) == len(models) - 10 for names in seen)
    assert len(set(map(frozenset, seen))) > 1
    assert set().union(*seen) == {model.name for model in models}


def test_the_choice_does_not_depend_on_latencies(base, models):
    told = replace(models[3], latency_ms=1e6, support_ms=1e6)
    changed = [*models[:3], told, *models[4:]]
    first, second = (
        {one.name for one in forecast_rest(rows, base, sampler="variance", shots=10, seed=0)}
        for rows in (models, changed)
    )
    assert first == second


def test_a_model_that_cannot_be_read_is_named(base, models):
    class Picky(FlopsPredictor):
        def coverage(self, queries):
            if any(query is models[5].query for query in queries):
                raise UnsupportedGraphError("Too strange.")
            return super().coverage(queries)

    picky = Picky()
    picky.__dict__.update(base.__dict__)
    readable, failed = split_readable(models, picky)
    assert [one.name for one in readable] == [model.name for model in models if model.name != "m5"]
    assert failed == [FailedModel(name="m5", stage="forecast", message="Too strange.")]


def _forecast(name, median, interval=(0.5, 1.5)):
    return Forecast(name=name, median_ms=median, interval_ms=interval, known_share=0.5)


def test_figures_are_averaged_over_the_seeds_of_each_model():
    forecasts = [_forecast("a", 1.05), _forecast("a", 1.25, (1.1, 2.0)), _forecast("b", 1.9)]
    found = document({"a": 1.0, "b": 2.0, "never": 3.0}, forecasts, [], differences=[0.01, 0.03])
    assert [model["name"] for model in found["models"]] == ["a", "b"]
    assert found["models"][0]["forecast_ms"] == pytest.approx(1.15)
    assert found["models"][0]["interval_ms"] == pytest.approx([0.8, 1.75])
    assert found["mape"] == found["median_ape"] == pytest.approx((0.15 + 0.05) / 2)
    assert (found["within_10"], found["within_20"]) == (pytest.approx(0.75), pytest.approx(0.75))
    assert found["coverage_90"] == pytest.approx((0.5 + 0.0) / 2)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["repeatability"] == pytest.approx(0.02)


def test_figures_that_do_not_exist_are_null():
    empty = document({}, [], [FailedModel(name="x", stage="load", message="m")], differences=[])
    assert empty["failed"] == [{"name": "x", "stage": "load", "message": "m"}]
    assert all(empty[key] is None for key in empty if key not in ("models", "failed"))
    silent = document({"a": 1.0}, [_forecast("a", 1.0, None)], [], differences=[])
    assert silent["models"][0]["interval_ms"] is None
    assert silent["coverage_90"] is None


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    rows = measure([random_graph(rng) for _ in range(60)], DEVICES, rng)
    names = [("zoo", "mobile/x"), ("zoo", "plain/x"), ("kernels", "conv/in=8"), ("zoo", "dense/x")]
    return replace(
        rows,
        queries=[
            Query(target=query.target, graph=query.graph, architecture=Architecture(space=space, text=f"{text}{index}"))
            for index, query in enumerate(rows.queries)
            for space, text in [names[index % 4]]
        ],
    )


def _seen_by(monkeypatch):
    """Targets and texts of what is trained on."""
    seen = []
    fit = FlopsPredictor.fit

    def watched(self, rows: LatencyDataset, **more):
        seen.extend((query.target.id, query.architecture.text) for query in rows.queries)
        return fit(self, rows, **more)

    monkeypatch.setattr(FlopsPredictor, "fit", watched)
    return seen


def test_a_family_is_hidden_on_all_targets(monkeypatch, data):
    seen = _seen_by(monkeypatch)
    parts = HOLDOUTS["families"](data)
    assert [part.name for part in parts] == ["dense", "mobile", "plain"]
    found = judge(data, parts[1], FlopsPredictor(), Draw(sampler="random", shots=5, seeds=2))
    assert not any(text.startswith("mobile") for _, text in seen)
    assert {target for target, _ in seen} == set(data.targets())
    assert found["models"]
    assert all("mobile" in model["name"] for model in found["models"])
    assert 0 < found["median_ape"] < math.inf


def test_all_targets_of_a_backend_and_precision_are_hidden(monkeypatch, data):
    seen = _seen_by(monkeypatch)
    first = data.queries[0].target
    queries = [
        Query(target=replace(q.target, backend="other"), graph=q.graph, architecture=q.architecture)
        if q.target == first
        else q
        for q in data.queries
    ]
    mixed = replace(data, queries=queries)
    parts = {part.name: part for part in HOLDOUTS["targets"](mixed)}
    assert len(parts) == 2
    found = judge(mixed, parts["other fp32"], FlopsPredictor(), Draw(sampler="variance", shots=10, seeds=1))
    assert replace(first, backend="other").id not in {target for target, _ in seen}
    assert not any("kernels/" in model["name"] for model in found["models"])
    alone = replace(data, queries=[Query(target=first, graph=q.graph) for q in data.queries])
    with pytest.raises(InputError, match="no rows to train on"):
        judge(alone, HOLDOUTS["targets"](alone)[0], FlopsPredictor(), Draw(sampler="random", shots=5, seeds=1))
