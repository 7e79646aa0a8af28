"""Bodies about targets: their adaptations, microbenchmarks and quality."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from latcast.schema import Microbench
from service.forecasting.history import AdaptationError
from service.forecasting.track_record import TrackRecord
from service.forecasting.types import QualityPair

__all__ = [
    "AdaptationOut",
    "ContenderOut",
    "ContendersOut",
    "LookupOption",
    "LookupPosition",
    "LookupTableOut",
    "MicrobenchOut",
    "MicrobenchRef",
    "QualityOut",
    "SpaceContendersOut",
    "TargetOut",
    "TargetState",
]


class AdaptationOut(BaseModel):
    """The adaptation that answers for a target."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    predictor_id: str
    metrics: dict[str, Any] = Field(
        description="`support` networks were measured and `failed` were not; `adapt_ms` is how long the fit took; "
        "`support_loo_median_ape` is the median absolute percentage error (0.1 is 10 %) on networks of the support, "
        "each forecast by an adaptation without it (null where too few are left), and `support_median_ape` the same "
        "by its former name; `support_loo_interval_score` is that of their 90 % intervals (less is better); "
        "`record_median_ape` is that of the predictor when it was trained, and `judged_support` on "
        "how many networks the adaptation rested that was judged last; `sentinel_ms` is the machine's speed meanwhile."
    )
    support: list[int]
    warning: str | None = Field(None, description="Why its forecasts are not to be trusted; null where they are.")
    created_unix_s: float


class ContenderOut(BaseModel):
    """How a predictor did that contends to answer."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(description="Its id.")
    kind: str
    weight: float = Field(description="How far it is believed, 0–1; the weights of a space add up to one.")
    median_ape: float | None = Field(
        description="Median absolute percentage error (0.1 is 10 %) on networks of the support, each forecast without "
        "it; null where that was not judged."
    )
    interval_score: float | None = Field(
        description="Of its 90 % intervals of these, in log latency: their width, and twenty times what lies outside. "
        "Less is better."
    )
    record: float | None = Field(description="Median error on targets that its training held out; null if unknown.")
    adapt_ms: float | None = Field(description="Time that an adaptation took.")
    refused: str = Field(description="Why it could not be adapted; empty where it was.")


class SpaceContendersOut(BaseModel):
    """Who contends for networks of one space."""

    model_config = ConfigDict(from_attributes=True)
    space: str | None = Field(description="Null for graphs.")
    predictor: str = Field(description="Id of who answers.")
    adapted: bool
    measurements: int = Field(description="To how many it is adapted.")
    standings: list[ContenderOut]


class ContendersOut(BaseModel):
    """Who contends to answer for a target."""

    target: str
    spaces: list[SpaceContendersOut]


class MicrobenchRef(BaseModel):
    """That a target has a hardware descriptor; `GET /v1/targets/{id}/microbench` gives it whole."""

    version: int = Field(description="Of the probes.")
    entries: int
    noisy: bool
    created_unix_s: float


class MicrobenchOut(BaseModel):
    """The microbenchmark that represents a target; entries that end in `_ms` are times in ms."""

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
    offered: bool = Field(
        description="Whether its device measures on it: the last registration named it, the agent's key is valid, and "
        "it is not silent for `agent_gone_seconds`."
    )
    online: bool = Field(description="Whether an agent of the device called just now.")
    seen_unix_s: float | None = Field(description="When an agent of the device last called.")
    measurements: int
    adaptation: AdaptationOut | None
    microbench: MicrobenchRef | None
    created_unix_s: float


class QualityOut(BaseModel):
    """Measured networks beside their forecasts; rows of the support set are marked."""

    target: str
    pairs: list[QualityPair] = Field(description="Forecasts as they are now.")
    over_time: TrackRecord = Field(
        description="Forecasts as they stood when their networks were measured: every measurement of a network that "
        "had not been measured before is one."
    )
    operators: dict[str, list[int]] = Field(
        description="Places in `pairs` of the networks that have each operator; those without a graph have none."
    )
    adaptations: list[AdaptationError] = Field(
        description="The error of each adaptation to the target when it was made, by how many networks it had; the "
        "oldest first, those that ended among them."
    )


class TargetState(BaseModel):
    """What a target's forecasts depend on."""

    target: str
    state: str = Field(description="Another text as soon as an answer may be another; its form means nothing.")


class LookupOption(BaseModel):
    """An option at a position; null where no sample had it."""

    name: str
    cost_ms: float | None = Field(
        description="Beyond the cheapest option of the position, or beyond its absence where it may be absent."
    )
    error_ms: float | None = Field(description="Standard error of the cost.")


class LookupPosition(BaseModel):
    """A place at which one of a few options stands."""

    name: str
    optional: bool = Field(description="Whether architectures may end before it.")
    options: list[LookupOption]


class LookupTableOut(BaseModel):
    """Latency as a sum: the overhead and the cost of what stands at each position."""

    target: str
    space: str
    overhead_ms: float
    positions: list[LookupPosition]
    explained_variance: float = Field(description="Share of the variance of held-out forecasts that sums explain.")
    error_ms: float = Field(description="Root mean square of what they differ by.")
    samples: int
    measured: int = Field(description="Samples that a measurement answered.")
    predictor: str | None = Field(description="That forecast the others; null where several did.")
