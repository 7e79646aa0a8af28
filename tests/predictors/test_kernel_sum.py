"""The kernel sum passes the suite, and its parts do what they say."""

from typing import Any

from predictors.kernel_sum import KernelSumPredictor
from predictors.testing import PredictorSuite


class TestKernelSum(PredictorSuite):
    def make(self, **hyperparameters: Any) -> KernelSumPredictor:
        return KernelSumPredictor(**{"trees": 50, "folds": 3, **hyperparameters})
