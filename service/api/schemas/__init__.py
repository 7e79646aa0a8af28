"""Bodies of requests and answers, a file for each resource; records of `latcast.schema` appear as they are."""

from service.api.schemas.common import In, Listed, Name, Positive, Problem, Text
from service.api.schemas.devices import DeviceOut, EnrolmentIn, EnrolmentOut, RegisterIn
from service.api.schemas.forecasts import (
    Dimension,
    ExplanationOut,
    ForecastOut,
    ItemError,
    ItemIn,
    PredictIn,
    PredictOut,
    Shapes,
)
from service.api.schemas.graphs import ArchitectureRef, GraphOut
from service.api.schemas.health import HealthOut
from service.api.schemas.jobs import (
    AdaptIn,
    AdaptJobIn,
    AttemptOut,
    FailureIn,
    HeartbeatIn,
    HeartbeatOut,
    JobIn,
    JobOut,
    JobRef,
    LeaseIn,
    LeaseOut,
    PoolIn,
    ProfileJobIn,
    ReceiptOut,
    ResultIn,
    SettingsIn,
)
from service.api.schemas.keys import KeyIn, KeyOut, NewKeyOut
from service.api.schemas.measurements import MeasurementOut, MeasurementsPage
from service.api.schemas.predictors import PredictorOut
from service.api.schemas.targets import AdaptationOut, MicrobenchOut, MicrobenchRef, QualityOut, TargetOut

__all__ = [
    "AdaptIn",
    "AdaptJobIn",
    "AdaptationOut",
    "ArchitectureRef",
    "AttemptOut",
    "DeviceOut",
    "Dimension",
    "EnrolmentIn",
    "EnrolmentOut",
    "ExplanationOut",
    "FailureIn",
    "ForecastOut",
    "GraphOut",
    "HealthOut",
    "HeartbeatIn",
    "HeartbeatOut",
    "In",
    "ItemError",
    "ItemIn",
    "JobIn",
    "JobOut",
    "JobRef",
    "KeyIn",
    "KeyOut",
    "LeaseIn",
    "LeaseOut",
    "Listed",
    "MeasurementOut",
    "MeasurementsPage",
    "MicrobenchOut",
    "MicrobenchRef",
    "Name",
    "NewKeyOut",
    "PoolIn",
    "Positive",
    "PredictIn",
    "PredictOut",
    "PredictorOut",
    "Problem",
    "ProfileJobIn",
    "QualityOut",
    "ReceiptOut",
    "RegisterIn",
    "ResultIn",
    "SettingsIn",
    "Shapes",
    "TargetOut",
    "Text",
]
