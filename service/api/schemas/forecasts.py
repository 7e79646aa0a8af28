"""Bodies about forecasts."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from latcast.schema import InputError
from service.api.schemas.common import In, Name, Problem, Text
from service.forecasting.types import Source

__all__ = ["Dimension", "ForecastOut", "ItemError", "ItemIn", "PredictIn", "PredictOut", "Shapes"]

Dimension = Annotated[int, Field(ge=0, lt=2**63)]
Shapes = dict[Name, Annotated[list[Dimension], Field(max_length=64)]]


class ItemIn(In):
    """One network, as `space` and `text`, as `graph` (hash), or as `onnx` (base64) with `shapes`."""

    space: Name | None = None
    text: Text | None = None
    graph: Name | None = None
    onnx: str | None = Field(None, description="An ONNX model in base64.")
    shapes: Shapes = Field(default_factory=dict, description="Whole shape of each input with dynamic dimensions.")


def _keep_problems(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Items that do not fit become their own errors and spoil no other; all are checked at once while none is bad."""
    try:
        return handler(value)
    except ValidationError:
        if not isinstance(value, list) or not value:
            raise
        return [_item_or_problem(item) for item in value]


def _item_or_problem(value: Any) -> ItemIn | InputError:
    try:
        return ItemIn.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return InputError(f"The item does not fit: {where + ': ' if where else ''}{first['msg']}.")


class PredictIn(In):
    """What to forecast on which target."""

    target: Name
    items: Annotated[list[ItemIn], Field(min_length=1), WrapValidator(_keep_problems)]
    level: float = Field(0.9, gt=0, lt=1, description="Probability that the interval holds the latency.")


class ForecastOut(BaseModel):
    """The answer to one item; latencies in ms."""

    model_config = ConfigDict(from_attributes=True)
    latency_ms: float
    interval_ms: tuple[float, float] | None = Field(description="[low, high]; null where nobody claims one.")
    source: Source
    coverage: float = Field(description="Share of the predicted cost in operators and shapes that training has seen.")
    adapted: bool = Field(description="Whether the target's own adaptation answered, or a measurement.")
    predictor: str | None
    kind: str | None = Field(description="Of the predictor; null when measured.")
    measurements: int = Field(
        description="Measured networks of the target that it rests on: 1 when measured, 0 for a base predictor."
    )
    statistic: str | None = Field(
        description="What a measured latency is: the `median` of samples, or a public table's `mean` or `reported`."
    )
    origin: str = Field(description="Public table that the target's measurements are from; empty for our own.")
    unknown_operators: tuple[str, ...]


class ItemError(BaseModel):
    """What was wrong with one item."""

    error: Problem


class PredictOut(BaseModel):
    """Answers in the order of the items."""

    target: str
    level: float
    items: list[ForecastOut | ItemError]
