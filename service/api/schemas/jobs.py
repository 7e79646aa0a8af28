"""Bodies about jobs: what callers ask for, and what agents lease and report."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from latcast.schema import Failure, FeedSpec, JobKind, JobState, LeaseOutcome, Measurement, ProfileSettings
from latcast.schema.counting import counted
from service.api.schemas.common import In, Name, Positive
from service.api.schemas.graphs import ArchitectureRef
from service.forecasting.history import ForecastBefore
from service.jobs.payloads import AdaptPayload, Pool, TrainPayload

__all__ = [
    "AdaptIn",
    "AdaptJobIn",
    "AttemptOut",
    "ChildOut",
    "ChildrenOut",
    "FailureIn",
    "HeartbeatIn",
    "HeartbeatOut",
    "JobIn",
    "JobOut",
    "JobRef",
    "LeaseIn",
    "LeaseOut",
    "PoolIn",
    "ProfileJobIn",
    "ProgressOut",
    "ReceiptOut",
    "ResultIn",
    "SettingsIn",
    "TrainJobIn",
]


MOST_PROCESSES, MOST_SAMPLES = 20, 10_000
MOST_ITEMS = {"runs": MOST_PROCESSES, "samples_ms": MOST_SAMPLES, "kernels": 200_000}
MOST_OTHER_ITEMS = 1000
"""Items of the lists in a report; the job's settings bound them further."""


class SettingsIn(In):
    """How to measure, where it differs from the default; what identifies the target is given by the target."""

    processes: int | None = Field(None, ge=1, le=MOST_PROCESSES)
    min_samples: int | None = Field(None, ge=1, le=MOST_SAMPLES)
    max_samples: int | None = Field(None, ge=1, le=MOST_SAMPLES)
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

    space: Name | Annotated[list[Name], Field(max_length=100)] | None = None
    graphs: list[Name] | None = Field(None, max_length=100_000)

    def record(self) -> Pool:
        """The pool as jobs keep it."""
        space = [self.space] if isinstance(self.space, str) else self.space or ()
        return Pool(space=tuple(space), graphs=tuple(self.graphs or ()))


Priority = Annotated[
    int, Field(ge=-100, le=100, description="Higher ones are done first; above 0 for admins. Equal ones take turns.")
]


class AdaptIn(In):
    """How to adapt a predictor to a target."""

    samples: int = Field(10, ge=1, le=1000, description="How many graphs are measured.")
    sampler: Name = Field("variance", description="Who chooses them.")
    pool: PoolIn = PoolIn()
    settings: SettingsIn = SettingsIn()
    seed: int = Field(0, ge=0, lt=2**63)
    predictor: Name | None = Field(
        None,
        description="What is adapted: the id of a predictor, `pretrained:NAME`, or a kind; else what answers first.",
    )
    priority: Priority = 0

    def payload(self) -> AdaptPayload:
        """What the job is asked for."""
        return AdaptPayload(
            samples=self.samples,
            sampler=self.sampler,
            pool=self.pool.record(),
            settings=self.settings.overrides(),
            seed=self.seed,
            predictor=self.predictor,
        )


class ProfileJobIn(In):
    """Measure graphs on a target: one job for each."""

    kind: Literal[JobKind.PROFILE]
    target: Name
    graphs: list[Name] = Field(
        default_factory=list, max_length=10_000, description="Hashes of uploaded graphs, or their beginnings."
    )
    architectures: list[ArchitectureRef] = Field(default_factory=list, max_length=1000)
    settings: SettingsIn = SettingsIn()
    feeds: list[FeedSpec] = Field(default_factory=list, max_length=1000, description="Default feeds where empty.")
    priority: Priority = 0


class AdaptJobIn(AdaptIn):
    """Adapt a predictor to a target."""

    kind: Literal[JobKind.ADAPT]
    target: Name


class TrainJobIn(In):
    """Train a predictor on measurements."""

    kind: Literal[JobKind.TRAIN]
    priority: Priority = 0
    predictor: Name = Field(description="Kind of the predictor, built in or a plug-in's.")
    targets: list[Name] = Field(default_factory=list, max_length=10_000, description="All where empty.")
    spaces: list[Name] = Field(
        default_factory=list,
        max_length=100,
        description="Search spaces whose networks count; all networks where empty.",
    )
    since_unix_s: Annotated[float, Field(ge=0, le=1e11)] | None = Field(
        None, description="Time of the oldest measurement that counts."
    )
    tables: bool | None = Field(
        None,
        description="Whether public tables count; left out, where targets are named, or where the predictor reads "
        "architectures alone.",
    )
    rows_per_target: int | None = Field(
        None, ge=1, lt=2**31, description="Most measurements of each target, at random."
    )
    hyperparameters: dict[Name, bool | int | float | Annotated[str, Field(max_length=200)]] = Field(
        default_factory=dict, max_length=100, description="Arguments of the predictor's constructor."
    )
    seed: int = Field(0, ge=0, lt=2**63)
    folds: int = Field(4, ge=0, le=20, description="Parts of the networks that are held out in turn; 0 holds out none.")
    target_folds: int = Field(4, ge=0, le=20, description="The same of the targets, where there are three or more.")
    activate: bool = Field(False, description="Let it answer, and be adapted, as soon as it is trained.")
    workers: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Processes that do it, no more than the worker has cores; its own number where left out.",
    )

    def payload(self) -> TrainPayload:
        """What the job is asked for."""
        fields = self.model_dump(exclude={"kind", "priority", "targets", "spaces"})
        return TrainPayload(targets=tuple(self.targets), spaces=tuple(self.spaces), **fields)


JobIn = Annotated[ProfileJobIn | AdaptJobIn | TrainJobIn, Field(discriminator="kind")]


class ProgressOut(BaseModel):
    """How far a long step of a job is."""

    share: float = Field(description="Share that is done, 0 to 1.")
    what: str = Field(description="What is being done.")


class AttemptOut(BaseModel):
    """One lease of a job and how it ended; a `released` one is no attempt and shares its number with the next."""

    model_config = ConfigDict(from_attributes=True)
    number: int
    agent_id: str | None = Field(description="Agent that had the lease; null where the service did the job.")
    process: str | None = Field(description="Process of the service that had the lease; null where an agent had it.")
    outcome: LeaseOutcome | None
    stage: str | None
    message: str | None
    started_unix_s: float
    ended_unix_s: float | None


class JobRef(BaseModel):
    """A job in a list."""

    id: str
    kind: JobKind
    state: JobState
    target: str | None
    graph: str | None
    parent: str | None
    attempts: int
    max_attempts: int
    created_unix_s: float
    updated_unix_s: float
    key: str | None = Field(None, description="Id of the key that asked for it; null on an open service.")
    priority: int = 0
    waiting: str | None = Field(
        None,
        description="Why it waits, where no agent or worker is there for it; null while one is, and once it has begun.",
    )


class JobOut(JobRef):
    """A job, with every attempt at it; `children` counts the jobs it waits for by state."""

    progress: ProgressOut | None = Field(description="Null where the job does not say.")
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
    kind: JobKind
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


def _bounded(value: Any, *, path: str = "measurement") -> Any:
    """The value, whose lists are looked at before their items are.

    Raises:
        ValueError: a list that no measurement has; says which.
    """
    for name, item in value.items() if isinstance(value, dict) else ():
        where = f"{path}.{name}"
        if isinstance(item, list):
            if len(item) > MOST_ITEMS.get(name, MOST_OTHER_ITEMS):
                raise ValueError(f"{where}: {counted(len(item), 'item')} are more than a measurement has")
            for index, part in enumerate(item if name == "runs" else ()):
                _bounded(part, path=f"{where}[{index}]")
    return value


class ChildOut(JobRef):
    """A network that a job has measured."""

    text: str | None = Field(description="Architecture of the network.")
    measurement: int | None = Field(description="Id of what was measured.")
    median_ms: float | None
    forecast: ForecastBefore | None = Field(
        description="The forecast that stood until then; null where the network had been measured before."
    )


class ChildrenOut(BaseModel):
    """The jobs that a job waits for, the oldest first."""

    items: list[ChildOut]


class ResultIn(In):
    """What was measured."""

    lease_token: Name
    measurement: Annotated[Measurement, BeforeValidator(_bounded)]


class FailureIn(In):
    """Why nothing was measured."""

    lease_token: Name
    failure: Failure


class ReceiptOut(BaseModel):
    """How a report was taken; a repeat gets the same."""

    model_config = ConfigDict(from_attributes=True)
    job_id: str
    state: JobState
    measurement_id: int | None
