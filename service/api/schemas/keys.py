"""Bodies about API keys."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.common import In, Name, Positive

__all__ = ["AuditOut", "KeyIn", "KeyOut", "NewKeyOut", "RotationIn"]


class KeyIn(In):
    """What a new key allows."""

    scope: Literal["admin", "client", "measure"] = Field(
        description="`client` reads and asks; `measure` has things measured, too; `admin` does everything."
    )
    name: Name = ""
    owner: Name | None = Field(None, description="Who answers for it.")
    expires_in_s: Positive | None = Field(None, description="Life in seconds; without one it ends when it is revoked.")
    max_open_jobs: int | None = Field(None, ge=0, le=10**9, description="Most jobs that wait or are worked on.")
    max_jobs_per_day: int | None = Field(None, ge=0, le=10**9, description="Most jobs within 24 hours.")


class RotationIn(In):
    """How a key gives way to a new one."""

    overlap_s: Annotated[float, Field(ge=0, le=366 * 86_400)] = Field(
        86_400.0, description="How long the old one goes on, in seconds."
    )


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    scope: str
    name: str
    owner: str | None
    created_unix_s: float
    expires_unix_s: float | None
    last_used_unix_s: float | None = Field(description="To within five minutes.")
    revoked_unix_s: float | None
    max_open_jobs: int | None
    max_jobs_per_day: int | None


class NewKeyOut(KeyOut):
    """A new key; `key` is shown this once."""

    key: str


class AuditOut(BaseModel):
    """Something that somebody did."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    at_unix_s: float
    key: str | None = Field(
        validation_alias="api_key_id", description="Id of the key that called; null on an open service or command line."
    )
    action: str
    subject: str = Field(description="Id of what it was done to.")
    detail: dict[str, Any]
