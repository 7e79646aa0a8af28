"""The conformance suite that every predictor passes, shipped with the code; it needs pytest.

```python
class TestMine(PredictorSuite):
    def make(self, **hyperparameters: Any) -> Predictor:
        return MyPredictor(**hyperparameters)
```
"""

from predictors.testing.architectures import architecture_workload, operator_workload
from predictors.testing.devices import DEVICES, NEW_DEVICE, AnalyticDevice, measure
from predictors.testing.graphs import GraphBuilder, foreign_graph, random_graph, shuffled
from predictors.testing.suite import PredictorSuite
from predictors.testing.workload import Workload, default_workload

__all__ = [
    "DEVICES",
    "NEW_DEVICE",
    "AnalyticDevice",
    "GraphBuilder",
    "PredictorSuite",
    "Workload",
    "architecture_workload",
    "default_workload",
    "foreign_graph",
    "measure",
    "operator_workload",
    "random_graph",
    "shuffled",
]
