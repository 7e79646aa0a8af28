"""Bodies about measurements."""

from pydantic import BaseModel, Field

from latcast.schema import Measurement
from service.api.schemas.common import Listed
from service.forecasting.history import ForecastBefore
from service.measurements.pages import MeasurementSummary

__all__ = ["MeasurementOut", "MeasurementsPage"]


class MeasurementOut(BaseModel):
    """A measurement: its summary, and the whole record with every sample, kernel and counter."""

    job: str | None
    summary: MeasurementSummary
    measurement: Measurement
    source: str = Field(description="Who reported it: the device of the agent, or a public table.")
    forecast: ForecastBefore | None = Field(
        description="The forecast that stood until then; null where the network had been measured before."
    )


MeasurementsPage = Listed[MeasurementSummary]
