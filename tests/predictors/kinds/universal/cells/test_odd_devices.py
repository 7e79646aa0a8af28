"""The shipped predictors on devices that are like none of their sources."""

import numpy as np
import pytest

from latcast.schema import Target
from predictors.base import LatencyDataset, Query
from predictors.evaluation.metrics import median_ape, spearman
from predictors.evaluation.nas.odd_devices import draw_devices
from predictors.registry import pretrained
from predictors.samplers.base import get_sampler
from profilers.search_spaces import get_space

TARGET = Target(device="odd", backend="synthetic", backend_version="1")
SHOTS = 20


@pytest.mark.parametrize("space", ["nasbench201", "fbnet"])
def test_one_operator_may_be_dear_there_alone_and_dead_edges_executed_or_not(space: str) -> None:
    rng = np.random.default_rng(0)
    predictor = pretrained(f"universal-{space}")
    queries = [Query(target=TARGET, architecture=get_space(space).sample(rng)) for _ in range(1200)]
    chosen = get_sampler("variance").choose(queries[:600], SHOTS, predictor=predictor, rng=rng)
    left = sorted(set(range(len(queries))) - set(chosen))
    figures = []
    for device in draw_devices(space, 4, seed=1):
        texts = [query.architecture.text for query in queries if query.architecture]
        latency_ms = device.latency_ms(texts, rng)
        support = LatencyDataset(queries=[queries[row] for row in chosen], latency_ms=latency_ms[chosen])
        forecast = predictor.adapt(TARGET, support).predict([queries[row] for row in left])
        figures.append(
            (spearman(latency_ms[left], forecast.median_ms), median_ape(latency_ms[left], forecast.median_ms))
        )
    rank, error = np.mean(figures, axis=0)
    assert rank >= 0.985
    assert error <= 0.04
