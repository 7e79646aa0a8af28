"""The baseline on FLOPs passes the conformance suite."""

from typing import Any

from predictors.kinds.flops import FlopsPredictor
from predictors.testing import PredictorSuite


class TestFlops(PredictorSuite):
    min_spearman = 0.85

    def make(self, **hyperparameters: Any) -> FlopsPredictor:
        return FlopsPredictor(**hyperparameters)
