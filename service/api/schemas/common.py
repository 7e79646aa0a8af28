"""Parts that the bodies of several resources share."""

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.db.records import is_storable_text

__all__ = ["In", "Listed", "Name", "Positive", "Problem", "TensorName", "Text"]

T = TypeVar("T")


def _storable(text: str) -> str:
    if not is_storable_text(text):
        raise ValueError("a text must not hold a zero byte or half a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_storable), Field(max_length=100_000)]
Name = Annotated[str, AfterValidator(_storable), Field(max_length=200)]
TensorName = Annotated[str, AfterValidator(_storable), Field(max_length=4096)]
"""The name of an input or a symbol, as long as `profilers.onnx_graph.Limits.name_bytes` lets it be in a model."""
Positive = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class In(BaseModel):
    """What a caller sends; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Listed(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


class Problem(BaseModel):
    """A problem detail (RFC 9457); some carry further members."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
