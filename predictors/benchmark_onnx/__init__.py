"""The benchmark on whole ONNX models: a few of them are measured, the others are forecast."""

from predictors.benchmark_onnx.bases import DEFAULT_PREDICTOR, load_base
from predictors.benchmark_onnx.figures import document
from predictors.benchmark_onnx.forecasting import Measured, forecast_rest
from predictors.benchmark_onnx.journal import Journal
from predictors.benchmark_onnx.manifest import FailedModel, ManifestEntry, read_manifest
from predictors.benchmark_onnx.measuring import careful_settings
from predictors.benchmark_onnx.models import Model, read_models
from predictors.benchmark_onnx.run import Plan, run

__all__ = [
    "DEFAULT_PREDICTOR",
    "FailedModel",
    "Journal",
    "ManifestEntry",
    "Measured",
    "Model",
    "Plan",
    "careful_settings",
    "document",
    "forecast_rest",
    "load_base",
    "read_manifest",
    "read_models",
    "run",
]
