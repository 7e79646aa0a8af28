"""Sums of layer-wise times: the conformance suite, exactness and limits."""

from typing import Any

import numpy as np
import pytest

from predictors.base import LatencyDataset, Query
from predictors.kinds.lookup_table import LookupTablePredictor
from predictors.evaluation.metrics import median_ape
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload
from latcast.schema import Architecture, InputError, Target
from profilers.search_spaces.nasbench201 import NASBench201


class TestLookupTable(PredictorSuite):
    min_spearman = 0.7  # dead edges cost as much as live ones in a table

    def make(self, **hyperparameters: Any) -> LookupTablePredictor:
        return LookupTablePredictor(**hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload()


def _sums(rows: int, seed: int, *, scale: float = 1.0) -> LatencyDataset:
    """Latencies that are exactly sums over the six edges."""
    space, rng = NASBench201(), np.random.default_rng(seed)
    table = scale * np.random.default_rng(0).lognormal(0, 1, (6, 5))
    architectures = [space.sample(rng) for _ in range(rows)]
    codes = np.array([space.encode(item)["operators"] for item in architectures])
    target = Target(device=f"sum{scale}", backend="imported")
    return LatencyDataset(
        queries=[Query(target=target, architecture=item) for item in architectures],
        latency_ms=table[np.arange(6), codes].sum(axis=1) + scale,
    )


def test_a_sum_of_layers_is_learned_exactly() -> None:
    data, held_out = _sums(200, 1), _sums(100, 2)
    fitted = LookupTablePredictor().fit(data)
    assert median_ape(held_out.latency_ms, fitted.predict(held_out.queries).median_ms) < 1e-6


def test_a_faster_device_needs_one_row() -> None:
    fitted = LookupTablePredictor().fit(_sums(200, 1))
    support, held_out = _sums(1, 3, scale=0.01), _sums(100, 2, scale=0.01)
    adapted = fitted.adapt(support.queries[0].target, support)
    assert median_ape(held_out.latency_ms, adapted.predict(held_out.queries).median_ms) < 1e-6


def test_entries_are_never_negative() -> None:
    workload = architecture_workload()
    adapted = LookupTablePredictor().fit(workload.train).adapt(workload.support.queries[0].target, workload.support)
    assert adapted.adapted_ is not None
    assert (adapted.adapted_ >= 0).all()


def test_spaces_are_not_mixed() -> None:
    data = _sums(10, 1)
    target = data.queries[0].target
    other = Query(target=target, architecture=Architecture(space="fbnet", text="|".join(["k3_e1"] * 22)))
    with pytest.raises(InputError, match="one search space"):
        LookupTablePredictor().fit(LatencyDataset(queries=[*data.queries, other], latency_ms=np.ones(11)))
    with pytest.raises(InputError, match="fbnet"):
        LookupTablePredictor().fit(data).predict([other])
