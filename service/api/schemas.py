"""Bodies of requests and answers; records of `latcast.schema` appear as they are."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from latcast.schema import (
    Device,
    Failure,
    FeedSpec,
    InputError,
    Measurement,
    Microbench,
    ProfileSettings,
    Target,
    TensorSpec,
)
from service.db.records import is_storable_text
from service.forecasting.types import QualityPair, Source
from service.measurements.pages import MeasurementSummary

T = TypeVar("T")


def _storable(text: str) -> str:
    if not is_storable_text(text):
        raise ValueError("a text must not hold a zero byte or half a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(_storable), Field(max_length=100_000)]
Name = Annotated[str, AfterValidator(_storable), Field(max_length=200)]
Positive = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class In(BaseModel):
    """What a caller sends; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Listed(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


# --- Devices, keys ----------------------------------------------------------------------------------------------


class RegisterIn(In):
    """A machine, and what it can measure on."""

    device: Device
    targets: list[Target] = Field(max_length=1000)
    enrolment_token: Name | None = Field(None, description="Needed when the service asks for keys.")


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


class EnrolmentIn(In):
    """How long the token is valid; the service's default where left out."""

    ttl_s: Annotated[float, Field(gt=0, le=30 * 86_400)] | None = None


class EnrolmentOut(BaseModel):
    """A token for one device; shown this once."""

    enrolment_token: str
    expires_unix_s: float


class DeviceOut(BaseModel):
    """A registered machine."""

    id: str
    device: Device
    created_unix_s: float
    registered_unix_s: float
    seen_unix_s: float | None = Field(description="When one of its agents last asked for work.")


# --- Graphs -----------------------------------------------------------------------------------------------------


class ArchitectureRef(In):
    """A text in a search space."""

    space: Name
    text: Text


class GraphOut(BaseModel):
    """A stored graph; work for one run, sizes in bytes."""

    hash: str
    nodes: int
    operators: dict[str, int]
    macs: int
    flops: int
    parameter_bytes: int
    activation_bytes: int
    arithmetic_intensity: float
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    denormal_weights: bool
    architecture: ArchitectureRef | None
    created_unix_s: float


# --- Jobs -------------------------------------------------------------------------------------------------------


class SettingsIn(In):
    """How to measure, where it differs from the default; what identifies the target is given by the target."""

    processes: int | None = Field(None, ge=1, le=20)
    min_samples: int | None = Field(None, ge=1, le=10_000)
    max_samples: int | None = Field(None, ge=1, le=10_000)
    max_seconds: Positive | None = None
    warmup_seconds: Annotated[float, Field(ge=0, le=600)] | None = None
    stable_iqr: Annotated[float, Field(gt=0, le=10)] | None = None
    timeout_s: Positive | None = None
    memory_limit_bytes: int | None = Field(None, ge=2**20, le=2**50)
    kernels: bool | None = None
    sentinel: bool | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)

    def overrides(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(exclude_none=True)


class PoolIn(In):
    """What a sampler may choose from: random architectures of search spaces, or graphs by hash; by default both
    shipped spaces.
    """

    space: Name | list[Name] | None = None
    graphs: list[Name] | None = Field(None, max_length=100_000)


class AdaptIn(In):
    """How to adapt a predictor to a target."""

    samples: int = Field(10, ge=1, le=1000, description="How many graphs are measured.")
    sampler: Name = Field("variance", description="Who chooses them.")
    pool: PoolIn = PoolIn()
    settings: SettingsIn = SettingsIn()
    seed: int = Field(0, ge=0, lt=2**63)


class ProfileJobIn(In):
    """Measure graphs on a target: one job for each."""

    kind: Literal["profile"]
    target: Name
    graphs: list[Name] = Field(default_factory=list, max_length=10_000, description="Hashes of uploaded graphs.")
    architectures: list[ArchitectureRef] = Field(default_factory=list, max_length=1000)
    settings: SettingsIn = SettingsIn()
    feeds: list[FeedSpec] = Field(default_factory=list, max_length=1000, description="Default feeds where empty.")


class AdaptJobIn(AdaptIn):
    """Adapt a predictor to a target."""

    kind: Literal["adapt"]
    target: Name


JobIn = Annotated[ProfileJobIn | AdaptJobIn, Field(discriminator="kind")]


class AttemptOut(BaseModel):
    """One lease of a job and how it ended."""

    model_config = ConfigDict(from_attributes=True)
    number: int
    agent_id: str
    outcome: str | None
    stage: str | None
    message: str | None
    started_unix_s: float
    ended_unix_s: float | None


class JobRef(BaseModel):
    """A job in a list."""

    id: str
    kind: str
    state: Literal["queued", "leased", "done", "failed", "cancelled"]
    target: str | None
    graph: str | None
    parent: str | None
    attempts: int
    max_attempts: int
    created_unix_s: float
    updated_unix_s: float


class JobOut(JobRef):
    """A job, with every attempt at it; `children` counts the jobs it waits for by state."""

    request: dict[str, Any]
    result: dict[str, Any] | None
    reasons: list[AttemptOut]
    children: dict[str, int]


class LeaseIn(In):
    """How long to wait for a job, in seconds; at most what the service allows."""

    wait_s: Annotated[float, Field(ge=0, le=3600)] = 0.0


class LeaseOut(BaseModel):
    """A job to do; give the token with every report, and a heartbeat well before `lease_seconds` are over."""

    id: str
    lease_token: str
    kind: str
    graph: str
    settings: ProfileSettings
    feeds: list[FeedSpec]
    lease_seconds: float


class HeartbeatIn(In):
    """I am still working."""

    lease_token: Name


class HeartbeatOut(BaseModel):
    """Until when the lease runs now."""

    deadline_unix_s: float


class ResultIn(In):
    """What was measured."""

    lease_token: Name
    measurement: Measurement


class FailureIn(In):
    """Why nothing was measured."""

    lease_token: Name
    failure: Failure


class ReceiptOut(BaseModel):
    """How a report was taken; a repeat gets the same."""

    model_config = ConfigDict(from_attributes=True)
    job_id: str
    state: str
    measurement_id: int | None


# --- Forecasts --------------------------------------------------------------------------------------------------

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


class Problem(BaseModel):
    """A problem detail (RFC 9457); some carry further members."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str


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


# --- Targets, predictors ----------------------------------------------------------------------------------------


class AdaptationOut(BaseModel):
    """The adaptation that answers for a target."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    predictor_id: str
    metrics: dict[str, Any]
    support: list[int]
    created_unix_s: float


class MicrobenchRef(BaseModel):
    """That a target has a hardware descriptor; `GET /targets/{id}/microbench` gives it whole."""

    version: int = Field(description="Of the probes.")
    entries: int
    noisy: bool
    created_unix_s: float


class MicrobenchOut(BaseModel):
    """The microbenchmark that speaks for a target; entries that end in `_ms` are times in ms."""

    target: str
    microbench: Microbench
    created_unix_s: float


class TargetOut(BaseModel):
    """Device × backend × version × precision × threads × options."""

    id: str
    label: str
    device_id: str | None
    device_name: str
    backend: str
    backend_version: str
    precision: str
    threads: int
    options: dict[str, str]
    origin: str
    offered: bool = Field(description="Whether its device measures on it now.")
    measurements: int
    adaptation: AdaptationOut | None
    microbench: MicrobenchRef | None
    created_unix_s: float


class MeasurementOut(BaseModel):
    """A measurement: its summary, and the whole record with every sample, kernel and counter."""

    job: str | None
    summary: MeasurementSummary
    measurement: Measurement


class PredictorOut(BaseModel):
    """A base predictor."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str
    artifact_digest: str
    dataset_id: str | None
    metrics: dict[str, Any]
    active: bool
    created_unix_s: float


class QualityOut(BaseModel):
    """Measured networks beside their forecasts; rows of the support set are marked."""

    target: str
    pairs: list[QualityPair]


class HealthOut(BaseModel):
    """`ok` for each part, or a sentence about what is wrong."""

    ready: bool
    parts: dict[str, str]


MeasurementsPage = Listed[MeasurementSummary]
