"""The house predictor, for search spaces and for whole graphs: see `docs/reference/universal.md`.

Files: `predictor` is the contract; `prior` is learned from source devices (`sources`: one of them, `components`: its
covariances, `evidence`: their scales); `posterior` is one device after k measurements; `feature_space`,
`nasbench201_features` and `fbnet_features` say in which features latency is a sum. `graphs` is for whole graphs, with
`kernel_network` (trained by `kernel_training`) over the kernels of `predictors.kinds.kernel_sum`.
"""

from predictors.kinds.universal.predictor import UniversalPredictor

__all__ = ["UniversalPredictor"]
