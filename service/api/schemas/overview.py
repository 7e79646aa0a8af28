"""The body of the overview."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.devices import DeviceOut
from service.api.schemas.jobs import JobRef
from service.api.schemas.targets import TargetOut
from service.forecasting.track_record import Period

__all__ = ["AlertOut", "HourOut", "OverviewOut", "QueuedOut"]


class HourOut(BaseModel):
    """Measurements of one hour; `measured` counts the noisy ones too."""

    model_config = ConfigDict(from_attributes=True)
    at_unix_s: float
    measured: int
    noisy: int
    failed: int


class AlertOut(BaseModel):
    """Something that somebody should look at."""

    model_config = ConfigDict(from_attributes=True)
    level: Literal["error", "warning"]
    subject: str
    text: str


class QueuedOut(JobRef):
    """A job that waits or is being done."""

    what: str = Field(description="The target, and the network where it is one that is measured.")


class OverviewOut(BaseModel):
    """The fleet, its work and its data, as of now."""

    devices: list[DeviceOut]
    devices_online: int
    targets: list[TargetOut]
    measurements: int = Field(description="Those with a latency, public tables included.")
    noisy: int
    failed: int
    jobs: dict[str, int] = Field(description="Jobs by state.")
    queue: list[QueuedOut] = Field(description="The jobs that are being done, and the oldest that wait.")
    activity: list[HourOut] = Field(description="The last 48 hours, the oldest first.")
    alerts: list[AlertOut]
    forecasts: list[Period] = Field(
        description="How good the forecasts of all targets were that stood when networks were measured, over time, "
        "the oldest first."
    )
