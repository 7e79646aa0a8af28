from typing import Any

from predictors.boosted_trees import BoostedTreesPredictor
from predictors.testing import PredictorSuite


class TestBoostedTrees(PredictorSuite):
    def make(self, **hyperparameters: Any) -> BoostedTreesPredictor:
        return BoostedTreesPredictor(**hyperparameters)
