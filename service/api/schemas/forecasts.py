"""Bodies about forecasts."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from latcast.schema import InputError
from service.api.schemas.common import In, Name, Problem, TensorName, Text
from service.forecasting.types import Source

__all__ = [
    "LEAST_LEVEL",
    "MOST_LEVEL",
    "Dimension",
    "Dims",
    "ExplanationOut",
    "FactsOut",
    "ForecastOut",
    "ItemError",
    "ItemIn",
    "PredictColumnsOut",
    "PredictIn",
    "PredictOut",
    "PredictSeveralOut",
    "Shapes",
    "TargetError",
]

LEAST_LEVEL, MOST_LEVEL = 0.000001, 0.999999
"""Beyond them doubles tell an interval neither from a point nor from certainty, and what is remembered of a forecast
would be no number."""
DESCRIPTOR = (
    "What describes the device to the predictor: `counters`, `microbench` or `reference_latency_ms`; null where "
    "nothing but measurements does."
)
Dimension = Annotated[int, Field(ge=0, lt=2**63)]
Shapes = dict[TensorName, Annotated[list[Dimension], Field(max_length=64)]]
Dims = dict[TensorName, Dimension]


class ItemIn(In):
    """One network, as `space` and `text`, as `graph` (its hash or the beginning of it), or as `onnx` (base64) with
    `shapes` and `dims`.
    """

    space: Name | None = None
    text: Text | None = None
    graph: Name | None = None
    onnx: str | None = Field(None, description="An ONNX model in base64.")
    shapes: Shapes = Field(default_factory=dict, description="Whole shape of each input with dynamic dimensions.")
    dims: Dims = Field(
        default_factory=dict, description="Size of each symbol of such dimensions; whole shapes count before them."
    )


MOST_ITEMS = 10_000
"""Whatever the settings say: each item that does not fit is looked at by itself."""
MOST_TARGETS = 100


def _keep_problems(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Items that do not fit become their own errors and spoil no other; all are checked at once while none is bad."""
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise PydanticCustomError("too_many", f"one call takes at most {MOST_ITEMS:,} items; send several calls")
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
    """What to forecast on which target, or several: `items` of all kinds, or in columns `texts` of one `space`, or
    `graphs`.
    """

    target: Name | None = None
    targets: Annotated[list[Name], Field(min_length=1, max_length=MOST_TARGETS)] | None = Field(
        None, description="In place of `target`; the answer has one for each."
    )
    items: Annotated[list[ItemIn], Field(min_length=1), WrapValidator(_keep_problems)] | None = None
    space: Name | None = Field(None, description="Search space of `texts`.")
    texts: Annotated[list[Text], Field(min_length=1, max_length=MOST_ITEMS)] | None = Field(
        None, description="Architectures of `space`; the answer is in columns."
    )
    graphs: Annotated[list[Name], Field(min_length=1, max_length=MOST_ITEMS)] | None = Field(
        None, description="Hashes of graphs that were uploaded, or beginnings of them; the answer is in columns."
    )
    level: float = Field(
        0.9, ge=LEAST_LEVEL, le=MOST_LEVEL, description="Probability that the interval holds the latency."
    )
    predictor: Name | None = Field(
        None,
        description="Who answers, for measured networks too: the id of a predictor, `pretrained:NAME`, or a kind; "
        "adapted to the target's measurements. Left out: measurements, and who fits best.",
    )
    include: Annotated[list[Literal["macs", "flops", "params", "activations", "peak_memory"]], Field(max_length=5)] = (
        Field(
            default_factory=list,
            description="What else to say of the networks; builds graphs of texts, unless their spaces give parts.",
        )
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [name for name in ("items", "texts", "graphs") if getattr(self, name) is not None]
        if len(given) != 1 or (self.space is not None) != (self.texts is not None):
            raise PydanticCustomError("one_form", "give `items`, or `space` with `texts`, or `graphs`")
        if (self.target is None) == (self.targets is None):
            raise PydanticCustomError("one_target", "give either `target` or `targets`")
        return self


class FactsOut(BaseModel):
    """What was asked for beside the latency; null where nobody knows."""

    macs: int | None = Field(None, description="Multiply-accumulates of one run.")
    flops: int | None = Field(None, description="Floating-point operations of one run, two for each of `macs`.")
    parameter_bytes: int | None = None
    activation_bytes: int | None = Field(None, description="Of all tensors that nodes write.")
    peak_memory_bytes: int | None = Field(
        None, description="The most memory that a process had that measured it on the target; null where none did."
    )


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
    remarks: tuple[str, ...] = Field((), description="What to know of the network before trusting it, a sentence each.")
    warning: str | None = Field(
        None, description="What to know of the predictor before trusting it, as that it fits the target poorly."
    )
    descriptor: str | None = Field(None, description=DESCRIPTOR)
    facts: FactsOut | None = Field(None, description="There where `include` asked for some.")


class ItemError(BaseModel):
    """What was wrong with one item."""

    error: Problem


class PredictColumnsOut(BaseModel):
    """Answers to `texts` or `graphs`, one list for each quantity, in their order; latencies in ms."""

    target: str
    level: float
    latency_ms: list[float | None] = Field(description="null where there is an error.")
    low_ms: list[float | None] = Field(description="Lower ends of the intervals; null where nobody claims one.")
    high_ms: list[float | None] = Field(description="Upper ends of the intervals.")
    measured: list[bool] = Field(description="Whether a measurement answered, or a predictor.")
    coverage: list[float] = Field(
        description="Shares of the predicted costs in operators and shapes that training has seen."
    )
    predictor: str | None = Field(description="Of what was not measured; null where that was several, or nothing.")
    kind: str | None
    adapted: bool | None
    measurements: int | None = Field(description="Measured networks of the target that the predictor rests on.")
    warning: str | None = Field(None, description="What to know of the predictor before trusting it.")
    descriptor: str | None = Field(None, description=DESCRIPTOR)
    origin: str = Field(description="Public table that the target's measurements are from; empty for our own.")
    errors: dict[str, Problem] = Field(description="What is wrong with a network, by its place in the list.")
    macs: list[int | None] | None = Field(None, description="This and what follows is there where `include` asked.")
    flops: list[int | None] | None = None
    parameter_bytes: list[int | None] | None = None
    activation_bytes: list[int | None] | None = None
    peak_memory_bytes: list[int | None] | None = None


class PredictOut(BaseModel):
    """Answers in the order of the items."""

    target: str
    level: float
    items: list[ForecastOut | ItemError]


class TargetError(BaseModel):
    """What was wrong with one of several targets."""

    target: str
    error: Problem


class PredictSeveralOut(BaseModel):
    """Answers of several targets, in their order."""

    level: float
    answers: list[PredictOut | PredictColumnsOut | TargetError]


class KernelOut(BaseModel):
    """One kernel's part of a forecast; times are of all its runs in one run of the network."""

    operator: str
    kind: str = Field(description="Its class, for example `conv_depthwise`.")
    nodes: tuple[str, ...] = Field(description="Names of the nodes that it covers, or of their outputs.")
    latency_ms: float
    share: float = Field(description="Of the sum over kernels, 0–1.")
    repeats: float = Field(description="How often it runs.")
    flops: float = Field(description="Of one run.")
    moved_bytes: float = Field(description="That one run has to read and write at least.")
    intensity: float = Field(description="FLOPs for each of these bytes.")
    gflops: float = Field(description="That it achieves, 10⁹ FLOPs in a second.")
    bound: Literal["compute", "memory", "launch"] = Field(description="What limits it, by the target's roofline.")
    efficiency: float = Field(description="What the roofline says it would take at best, as a share of its time.")
    known: bool = Field(description="Whether training has seen its operator in about this size.")
    measured_ms: float | None = Field(description="What was measured of it; null where nothing was.")


class PeaksOut(BaseModel):
    """What the target can do at best, as its predictor has it."""

    gflops: float = Field(description="10⁹ floating-point operations in a second.")
    gbytes: float = Field(description="10⁹ bytes of memory traffic in a second.")
    launch_ms: float = Field(description="Of a kernel that does next to nothing.")
    ridge: float = Field(description="FLOPs for each byte above which arithmetic is what bounds.")


class NeighbourOut(BaseModel):
    """A measured network of the target that spends its time alike."""

    name: str
    measured_ms: float
    distance: float = Field(description="Of the shares of time by class of kernels: 0 is alike, 1 nothing in common.")


class ProposalOut(BaseModel):
    """A network whose measurement would make the forecast surer."""

    space: str
    text: str
    forecast_ms: float
    variance_removed: float = Field(description="Share of the variance of the forecast's logarithm.")


class ExplanationOut(ForecastOut):
    """The answer that `/predict` gives, and why it is what it is; latencies in ms."""

    target: str
    level: float
    kernels_ms: float | None = Field(
        description="What the kernels add up to: the forecast; of a measured network what the predictor says of it."
    )
    kernels: list[KernelOut] = Field(description="In order of execution; empty where the predictor has none.")
    no_kernels: str = Field(description="Why there are no kernels; empty where there are some.")
    peaks: PeaksOut | None
    nearest: list[NeighbourOut] = Field(description="The most alike first; empty without kernels.")
    measure_next: list[ProposalOut] = Field(
        description="The most useful first; empty for measured networks and imported targets."
    )
