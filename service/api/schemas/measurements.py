"""Bodies about measurements."""

from pydantic import BaseModel

from latcast.schema import Measurement
from service.api.schemas.common import Listed
from service.measurements.pages import MeasurementSummary

__all__ = ["MeasurementOut", "MeasurementsPage"]


class MeasurementOut(BaseModel):
    """A measurement: its summary, and the whole record with every sample, kernel and counter."""

    job: str | None
    summary: MeasurementSummary
    measurement: Measurement


MeasurementsPage = Listed[MeasurementSummary]
