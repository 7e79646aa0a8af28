"""Models are split into a support and a rest, by graphs alone, and unreadable ones are named."""

from dataclasses import replace

import numpy as np
import pytest

from latcast.schema import UnsupportedGraphError
from predictors.evaluation.onnx import FailedModel, Measured
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
def test_the_support_is_not_forecast_and_every_model_is_by_some_seed(base, models, sampler):
    forecast = [
        {one.name for one in forecast_rest(models, base, sampler=sampler, shots=10, seed=seed)} for seed in range(10)
    ]
    assert all(len(names) == len(models) - 10 for names in forecast)
    assert len(set(map(frozenset, forecast))) > 1
    assert set().union(*forecast) == {model.name for model in models}


def test_the_choice_does_not_depend_on_latencies(base, models):
    changed_one = replace(models[3], latency_ms=1e6, support_ms=1e6)
    changed = [*models[:3], changed_one, *models[4:]]
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
