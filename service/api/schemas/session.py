"""The body that tells who calls."""

from pydantic import BaseModel, Field

from service.fleet.access import Scope

__all__ = ["SessionOut"]


class SessionOut(BaseModel):
    """What the caller may do, and which service this is."""

    scope: Scope | None = Field(description="Of the key that was sent; null without one.")
    keys_required: bool = Field(description="Whether calls without a key are refused.")
    can_read: bool
    can_measure: bool = Field(description="Whether the caller may start jobs, and cancel its own.")
    can_write: bool = Field(description="Whether the caller may do that to all jobs, and make keys.")
    version: str
