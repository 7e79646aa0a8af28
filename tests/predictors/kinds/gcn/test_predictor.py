"""The graph network: the conformance suite, and its choices."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")

import torch

from predictors.evaluation.metrics import median_ape
from predictors.kinds.gcn.predictor import GcnPredictor
from predictors.base import Query
from predictors.testing import PredictorSuite, foreign_graph
from predictors.testing.workload import default_workload
from latcast.schema import InputError

torch.set_num_threads(1)

SMALL = {"epochs": 12, "width": 32, "layers": 2, "folds": 3, "learning_rate": 5e-3}


@pytest.mark.slow
class TestGcn(PredictorSuite):
    scale_rtol = 0.02

    def make(self, **hyperparameters: Any) -> GcnPredictor:
        return GcnPredictor(**{**SMALL, **hyperparameters})


@pytest.mark.slow
@pytest.mark.parametrize("choice", [{"convolution": "gcn"}, {"convolution": "gine"}, {"residual": "none"}])
def test_other_layers_and_no_roofline_learn_too(choice: dict[str, Any]) -> None:
    workload = default_workload()
    target = workload.train.queries[0].target.id
    rows = workload.train.targets()[target]
    held_out = workload.held_out.subset(workload.held_out.targets()[target])
    fitted = GcnPredictor(**{**SMALL, "epochs": 25, **choice}).fit(workload.train.subset(rows))
    level = float(np.exp(np.mean(np.log(workload.train.latency_ms[rows]))))
    error = median_ape(held_out.latency_ms, fitted.predict(held_out.queries).median_ms)
    assert error < 0.6 * median_ape(held_out.latency_ms, np.full(len(held_out), level))


def test_what_was_never_seen_gets_wider_intervals() -> None:
    workload = default_workload()
    fitted = GcnPredictor(**{**SMALL, "epochs": 3}).fit(workload.train)
    known = workload.held_out.queries[0]
    spread = fitted.predict([known, Query(target=known.target, graph=foreign_graph())]).log_std
    assert spread is not None
    assert spread[1] > spread[0]


def test_mistakes_are_named() -> None:
    for wrong in ({"residual": "half"}, {"folds": 1}, {"learning_rate": 0.0}):
        with pytest.raises(InputError):
            GcnPredictor(**wrong)
    data = default_workload().train
    with pytest.raises(InputError, match="convolution is one of sage, gcn, gine"):
        GcnPredictor(convolution="gat").fit(data)
    with pytest.raises(InputError, match="at least 10 different networks"):
        GcnPredictor().fit(data.subset(range(5)))
