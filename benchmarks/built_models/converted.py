"""Classifiers of scikit-learn, LightGBM and XGBoost, out of their converters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.built_models.network import Builder, Built

__all__ = ["NETWORKS"]

_ROWS = 400


def _data(features: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_ROWS, features)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] + rng.standard_normal(_ROWS) > 0).astype(np.int64)


def _sklearn(estimator: Any, features: int, batch: int) -> Built:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    x, y = _data(features)
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else {}
    types = [("x", FloatTensorType([batch, features]))]
    model = to_onnx(estimator.fit(x, y), initial_types=types, options=options, target_opset={"": 18, "ai.onnx.ml": 3})
    return Built(model=model)


def _forest() -> Built:
    from sklearn.ensemble import RandomForestClassifier

    return _sklearn(RandomForestClassifier(200, max_depth=9, random_state=0), 24, 16)


def _perceptron() -> Built:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return _sklearn(make_pipeline(StandardScaler(), MLPClassifier((128, 64), max_iter=5, random_state=0)), 32, 8)


def _lightgbm() -> Built:
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y = _data(40)
    trained = lightgbm.LGBMClassifier(n_estimators=150, num_leaves=31, random_state=0, verbose=-1, n_jobs=1).fit(x, y)
    types = [("x", FloatTensorType([1, 40]))]
    return Built(model=convert_lightgbm(trained, initial_types=types, zipmap=False, target_opset=15))


def _xgboost() -> Built:
    import xgboost
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y = _data(40)
    trained = xgboost.XGBClassifier(n_estimators=120, max_depth=6, random_state=0, n_jobs=1).fit(x, y)
    return Built(model=convert_xgboost(trained, initial_types=[("x", FloatTensorType([64, 40]))], target_opset=15))


NETWORKS: Mapping[str, Builder] = {
    "random-forest": _forest,
    "perceptron": _perceptron,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
