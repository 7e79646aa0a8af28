"""The house predictor, for search spaces and for whole graphs: see `docs/reference/universal.md`.

`predictor` is the façade before `cells.predictor` and `graphs.predictor`. Of cells, `prior` is learned from source
devices (`sources`: one of them, `components`: its covariances, `marginal_likelihood`: their scales); `posterior` is one
device after k measurements; `feature_space`, `nasbench201_features` and `fbnet_features` say in which features latency
is a sum. Graphs are a sum over kernels (`predictors.kinds.kernel_sum`), corrected by `graphs.network_correction` with
its `kernel_network` (trained by `kernel_training`), `whole_graphs` and `kernel_residuals`.
"""

from predictors.kinds.universal.predictor import UniversalPredictor

__all__ = ["UniversalPredictor"]
