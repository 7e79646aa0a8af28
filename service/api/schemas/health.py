"""The body that tells whether the service is ready."""

from pydantic import BaseModel

__all__ = ["HealthOut"]


class HealthOut(BaseModel):
    """`ok` for each part, or a sentence about what is wrong."""

    ready: bool
    parts: dict[str, str]
