"""Bodies about devices: their registration and the tokens for it."""

from typing import Annotated

from pydantic import BaseModel, Field

from latcast.schema import Device, Target
from service.api.schemas.common import In, Name
from service.api.schemas.measurements import MeasurementOut
from service.api.schemas.targets import MicrobenchOut, TargetOut

__all__ = ["DeviceOut", "DevicePageOut", "EnrolmentIn", "EnrolmentOut", "RegisterIn"]


class RegisterIn(In):
    """A machine, and what it can measure on."""

    device: Device
    targets: list[Target] = Field(max_length=1000)
    enrolment_token: Name | None = Field(None, description="Needed when the service asks for keys.")
    former_fingerprint: Name | None = Field(
        None,
        description="What version 0.1 called this machine; a device that is registered so and has the same hardware "
        "moves, with all it has, to the fingerprint in `device`.",
    )


class EnrolmentIn(In):
    """How long the token is valid, and whom it admits."""

    ttl_s: Annotated[float, Field(gt=0, le=30 * 86_400)] | None = Field(
        None, description="In s; the service's default where left out."
    )
    device: Name | None = Field(
        None,
        description="Id of the registered device, or its name if no other has it, that the token lets in again, "
        "and whose earlier keys end then; left out, the token admits a new device.",
    )


class EnrolmentOut(BaseModel):
    """A token for one device; shown this once."""

    enrolment_token: str
    expires_unix_s: float


class DeviceOut(BaseModel):
    """A registered machine."""

    id: str
    name: str = Field(description="What it is called: by its agent, or here (`POST /devices/{id}/rename`).")
    hidden_unix_s: float | None = Field(description="When it was taken out of sight; null for what is seen.")
    device: Device
    created_unix_s: float
    registered_unix_s: float
    seen_unix_s: float | None = Field(description="When one of its agents last called.")
    online: bool = Field(description="Whether that was just now, with a key that is valid.")
    quarantined_unix_s: float | None = Field(
        description="Since when what one of its agents reports is hidden (`POST /measurements/hide`); null where "
        "nothing is."
    )


class DevicePageOut(BaseModel):
    """A machine with its targets, and what one of them reached and counted."""

    device: DeviceOut
    targets: list[TargetOut]
    target: str | None = Field(description="The one that the rest is of; null for a device without targets.")
    microbench: MicrobenchOut | None = Field(description="Null where nobody ran microbenchmarks on it.")
    newest: MeasurementOut | None = Field(description="Its newest measurement with a latency.")
