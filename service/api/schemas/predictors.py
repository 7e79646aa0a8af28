"""Bodies about base predictors."""

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["PredictorOut"]


class PredictorOut(BaseModel):
    """A base predictor."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str
    artifact_digest: str
    dataset_id: str | None
    metrics: dict[str, Any]
    active: bool
    created_unix_s: float
