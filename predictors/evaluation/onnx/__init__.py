"""The benchmark on ONNX models: a few of them are measured, the others are forecast."""

from predictors.evaluation.journal import Journal
from predictors.evaluation.onnx.bases import DEFAULT_PREDICTOR, trained, untrained
from predictors.evaluation.onnx.figures import document
from predictors.evaluation.onnx.forecasting import Forecast, Measured, forecast_rest
from predictors.evaluation.onnx.holdouts import HOLDOUTS, Draw, Holdout, judge, judge_table, repeated
from predictors.evaluation.onnx.manifest import FailedModel, Manifest, ManifestEntry, read_manifest
from predictors.evaluation.onnx.measuring import careful_settings, measure_evidence, measure_once
from predictors.evaluation.onnx.models import Model, read_models
from predictors.evaluation.onnx.run import Plan, run

__all__ = [
    "DEFAULT_PREDICTOR",
    "HOLDOUTS",
    "Draw",
    "FailedModel",
    "Forecast",
    "Holdout",
    "Journal",
    "Manifest",
    "ManifestEntry",
    "Measured",
    "Model",
    "Plan",
    "careful_settings",
    "document",
    "forecast_rest",
    "judge",
    "judge_table",
    "measure_evidence",
    "measure_once",
    "read_manifest",
    "read_models",
    "repeated",
    "run",
    "trained",
    "untrained",
]
