"""Bodies about API keys."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.api.schemas.common import In, Name

__all__ = ["KeyIn", "KeyOut", "NewKeyOut"]


class KeyIn(In):
    """What a new key allows."""

    scope: Literal["admin", "client"]
    name: Name = ""


class KeyOut(BaseModel):
    """A key without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    scope: str
    name: str
    created_unix_s: float
    revoked_unix_s: float | None


class NewKeyOut(KeyOut):
    """A new key; `key` is shown this once."""

    key: str
