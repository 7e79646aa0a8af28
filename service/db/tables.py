"""The tables. Rows are written once: samples are stored, summaries are computed.

Times are wall-clock seconds since 1970 (`…_unix_s`), so both databases keep the same number. Identifiers out of
`new_id` sort by the time they were made. Flat values of records that are filtered or sorted by have columns; the
rest of a record is JSON, as `latcast.schema.to_plain` gives it.
"""

import enum
import secrets
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from latcast.schema import JobKind, JobState, LeaseOutcome

__all__ = [
    "Adaptation",
    "Agent",
    "ApiKey",
    "Architecture",
    "Artifact",
    "Attempt",
    "Audit",
    "Base",
    "Checkpoint",
    "CounterReading",
    "Dataset",
    "Device",
    "EnrolmentToken",
    "Graph",
    "GraphFacts",
    "Job",
    "KernelMeasurement",
    "Measurement",
    "Microbench",
    "Predictor",
    "Score",
    "Target",
    "new_id",
]

LISTED = (
    "target_id",
    "id",
    "median_ms",
    "noisy",
    "failure_stage",
    "statistic",
    "feeds_key",
    "relative_iqr",
    "sentinel_median_ms",
    "created_unix_s",
    "graph_hash",
    "architecture_id",
    "hidden_unix_s",
    "agent_id",
    "with_kernels",
)
"""Columns of measurements that lists and charts read."""
IS_HIDDEN = text("hidden_unix_s IS NOT NULL")
BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in columns of type INTEGER."""


def new_id() -> str:
    """An identifier that sorts by the time it was made: 16 digits of time in ns, 8 of chance, hexadecimal."""
    return f"{time.time_ns():016x}{secrets.token_hex(4)}"


def _values(members: Iterable[enum.StrEnum]) -> list[str]:
    """What columns hold of an enumeration: its values, rather than the names of its members."""
    return [member.value for member in members]


class Base(DeclarativeBase):
    """Root of the tables; constraints have names, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it off the class
        float: Double(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        enum.StrEnum: Enum(enum.StrEnum, native_enum=False, create_constraint=False, values_callable=_values),
    }


class Device(Base):
    """A machine; `id` derives from its fingerprint, so registering twice gives the same one.

    `former_fingerprint` is that of version 0.1, of a machine that was registered with it, or of a device that was
    merged into this one. `name` is what the agent calls it, or what somebody named it here (`given_name`).
    `hidden_unix_s` is when it was taken out of sight (`service.db.visibility`), as of targets, graphs and measurements.
    """

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    former_fingerprint: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str]
    record: Mapped[dict[str, Any]]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    registered_unix_s: Mapped[float] = mapped_column(default=time.time)
    hidden_unix_s: Mapped[float | None]
    given_name: Mapped[str | None]


class Target(Base):
    """Device × backend × version × precision × threads × options; `id` is `latcast.schema.Target.id`.

    `device_id` is empty for a column of a public table, which `origin` names. `offered` tells whether the device's
    last registration still named the target: a runtime that was upgraded leaves a target that takes no more jobs.
    `former_id` is the id that follows from the device's former fingerprint: callers of before and late reports use it.
    `revision` grows whenever measurements of the target are hidden, shown again, or come from another target: what was
    kept of it is out of date then, though no measurement is newer.
    """

    __tablename__ = "target"

    id: Mapped[str] = mapped_column(primary_key=True)
    former_id: Mapped[str | None] = mapped_column(index=True)
    device_id: Mapped[str | None] = mapped_column(ForeignKey("device.id"), index=True)
    backend: Mapped[str]
    origin: Mapped[str] = mapped_column(default="")
    record: Mapped[dict[str, Any]]
    offered: Mapped[bool] = mapped_column(default=True)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    hidden_unix_s: Mapped[float | None]
    revision: Mapped[int] = mapped_column(default=0, server_default="0")


class ApiKey(Base):
    """A key; only its SHA-256 is kept. `first_used_unix_s` tells when the first call came with an agent's key.

    `may_measure` makes a `client` key one of scope `measure`. Limits are None where there are none.
    """

    __tablename__ = "api_key"
    __table_args__ = (CheckConstraint("scope IN ('admin', 'agent', 'client')", name="scope"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    digest: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    revoked_unix_s: Mapped[float | None]
    first_used_unix_s: Mapped[float | None]
    owner: Mapped[str | None]
    may_measure: Mapped[bool] = mapped_column(default=False, server_default=false())
    expires_unix_s: Mapped[float | None]
    last_used_unix_s: Mapped[float | None]
    max_open_jobs: Mapped[int | None]
    max_jobs_per_day: Mapped[int | None]

    @property
    def granted(self) -> str:
        """The scope as people know it."""
        return "measure" if self.may_measure else self.scope


class EnrolmentToken(Base):
    """A token with which one device registers once; only its SHA-256 is kept.

    `device_id` is the registered device that it lets in again, empty where it admits a new one. `used_by` is the device
    that it admitted, with the key `api_key_id`.
    """

    __tablename__ = "enrolment_token"

    digest: Mapped[str] = mapped_column(primary_key=True)
    expires_unix_s: Mapped[float]
    device_id: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    used_by: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_key.id"))
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Agent(Base):
    """What works for a device, with its key; what it reports while it is in quarantine is hidden."""

    __tablename__ = "agent"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    api_key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"), unique=True)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    seen_unix_s: Mapped[float] = mapped_column(default=time.time)
    quarantined_unix_s: Mapped[float | None]


class Graph(Base):
    """A network's structure: the ONNX model without its weights, compressed with zlib."""

    __tablename__ = "graph"

    hash: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    summary: Mapped[dict[str, Any]]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    hidden_unix_s: Mapped[float | None]


class GraphFacts(Base):
    """What lists and charts filter by, out of the graph's summary; many are read at a time, so they are narrow.

    `operators` has every operator once, between blanks.
    """

    __tablename__ = "graph_facts"

    hash: Mapped[str] = mapped_column(ForeignKey("graph.hash", ondelete="CASCADE"), primary_key=True)
    flops: Mapped[float]
    parameter_bytes: Mapped[float]
    activation_bytes: Mapped[float]
    nodes: Mapped[int]
    operators: Mapped[str]


class Architecture(Base):
    """A text in a search space; `graph_hash` is empty where a public table has no ONNX."""

    __tablename__ = "architecture"
    __table_args__ = (UniqueConstraint("space", "text"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    space: Mapped[str]
    text: Mapped[str]
    graph_hash: Mapped[str | None] = mapped_column(ForeignKey("graph.hash"), index=True)


class Measurement(Base):
    """Many samples of one graph on one target, or why there are none.

    `lease_token` is unique: however often a result is sent, there is one row. `feeds_key` is `default`, or a digest
    of the recipe that was asked for. `median_ms` is computed once, at insertion, to sort by. `statistic` is `samples`,
    or what the one number of a public table is: `mean`, or `reported` where the table does not say. `relative_iqr`
    and `sentinel_median_ms` are computed once, too; the index `…_listed` has all that lists and charts read. Rows that
    are hidden represent nothing, and are listed only where they are asked for. `agent_id` is who reported it, empty for
    rows of public tables; `with_kernels` says whether a process of it has kernels.
    """

    __tablename__ = "measurement"
    __table_args__ = (
        CheckConstraint("graph_hash IS NOT NULL OR architecture_id IS NOT NULL", name="what"),
        CheckConstraint("(median_ms IS NULL) = (failure_stage IS NOT NULL)", name="outcome"),
        Index("ix_measurement_key", "target_id", "graph_hash", "feeds_key"),
        Index("ix_measurement_median", "target_id", "median_ms"),
        Index("ix_measurement_architecture", "target_id", "architecture_id"),
        Index("ix_measurement_listed", *LISTED),
        Index("ix_measurement_hidden", "target_id", "id", sqlite_where=IS_HIDDEN, postgresql_where=IS_HIDDEN),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("target.id"))
    graph_hash: Mapped[str | None] = mapped_column(ForeignKey("graph.hash"), index=True)
    architecture_id: Mapped[int | None] = mapped_column(ForeignKey("architecture.id"))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    lease_token: Mapped[str | None] = mapped_column(unique=True)
    feeds_key: Mapped[str] = mapped_column(default="default")
    statistic: Mapped[str] = mapped_column(default="samples")
    median_ms: Mapped[float | None]
    noisy: Mapped[bool] = mapped_column(default=False)
    failure_stage: Mapped[str | None]
    failure_message: Mapped[str | None]
    settings: Mapped[dict[str, Any]]
    feeds: Mapped[list[Any]]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    runs: Mapped[list[Any]]
    sentinel_ms: Mapped[list[Any]]
    protocol_version: Mapped[int]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    relative_iqr: Mapped[float | None]
    sentinel_median_ms: Mapped[float | None]
    hidden_unix_s: Mapped[float | None]
    agent_id: Mapped[str | None]
    with_kernels: Mapped[bool] = mapped_column(default=False, server_default=false())

    target: Mapped[Target] = relationship()
    architecture: Mapped[Architecture | None] = relationship()
    kernels: Mapped[list["KernelMeasurement"]] = relationship(
        order_by="(KernelMeasurement.run, KernelMeasurement.position)", passive_deletes=True
    )
    counters: Mapped[list["CounterReading"]] = relationship(
        order_by="(CounterReading.run, CounterReading.event)", passive_deletes=True
    )


class KernelMeasurement(Base):
    """One kernel of one process of a measurement."""

    __tablename__ = "kernel_measurement"

    measurement_id: Mapped[int] = mapped_column(ForeignKey("measurement.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    operator: Mapped[str] = mapped_column(index=True)
    share: Mapped[float]
    time_ms: Mapped[float]
    node: Mapped[int | None] = mapped_column(BigInteger)
    input_shapes: Mapped[list[Any]]
    output_shapes: Mapped[list[Any]]
    dtype: Mapped[str]


class CounterReading(Base):
    """One event of one process of a measurement: a value with its two times, or why it is absent."""

    __tablename__ = "counter_reading"

    measurement_id: Mapped[int] = mapped_column(ForeignKey("measurement.id", ondelete="CASCADE"), primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    enabled_ns: Mapped[int | None] = mapped_column(BigInteger)
    running_ns: Mapped[int | None] = mapped_column(BigInteger)
    absent: Mapped[str | None]


class Microbench(Base):
    """One run of the microbenchmarks on a target.

    `digest` covers the target and the record: however often a report is sent, there is one row. `record` is the record
    without its target; `version` is that of the probes.
    """

    __tablename__ = "microbench"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("target.id"), index=True)
    digest: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int]
    noisy: Mapped[bool]
    record: Mapped[dict[str, Any]]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Job(Base):
    """Work to do. `lease_token` is that of the last lease, also after it ran out.

    `progress` is how far a long step is, as `share` of 0 to 1 with `what` it does; empty for jobs that do not say.
    Those of higher `priority` are done first, of the same one those whose `turn` comes first (`service.jobs.turns`).
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("kind IN ('profile', 'adapt', 'train')", name="kind"),
        CheckConstraint("state IN ('queued', 'leased', 'done', 'failed', 'cancelled')", name="state"),
        Index("ix_job_submitter", "api_key_id", "state", "created_unix_s"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[JobKind]
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    target_id: Mapped[str | None] = mapped_column(ForeignKey("target.id"), index=True)
    graph_hash: Mapped[str | None] = mapped_column(ForeignKey("graph.hash"))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    lease_token: Mapped[str | None] = mapped_column(unique=True)
    deadline_unix_s: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    updated_unix_s: Mapped[float] = mapped_column(default=time.time, onupdate=time.time)
    api_key_id: Mapped[str | None]
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    turn: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


# In the order in which a target's jobs are leased, however many there are.
Index("ix_job_queue", Job.state, Job.kind, Job.target_id, Job.priority.desc(), Job.turn, Job.id)


class Attempt(Base):
    """One lease of a job, and how it ended; `outcome` is empty while it runs.

    The lease is an agent's, or that of a process of the service's own, which `process` names.
    """

    __tablename__ = "attempt"
    __table_args__ = (CheckConstraint("(agent_id IS NULL) <> (process IS NULL)", name="worker"),)

    lease_token: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agent.id"))
    process: Mapped[str | None]
    number: Mapped[int]
    outcome: Mapped[LeaseOutcome | None]
    stage: Mapped[str | None]
    message: Mapped[str | None]
    started_unix_s: Mapped[float] = mapped_column(default=time.time)
    ended_unix_s: Mapped[float | None]


class Checkpoint(Base):
    """A part of a job's work that is done, so that whoever goes on with the job need not do it again."""

    __tablename__ = "checkpoint"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Dataset(Base):
    """An immutable manifest: which rows something was trained on.

    `row_ids` has their ids, ascending, as differences in little-endian int64 that zlib compressed.
    """

    __tablename__ = "dataset"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    filter: Mapped[dict[str, Any]]
    rows: Mapped[int]
    rows_digest: Mapped[str]
    row_ids: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    schema_version: Mapped[int]
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Artifact(Base):
    """The bytes of a predictor's artifact, by their SHA-256; here rather than in files, so every process sees them."""

    __tablename__ = "artifact"

    digest: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Predictor(Base):
    """A base predictor; the newest active one answers for targets without an adaptation.

    `card` says in Markdown what it was trained on and how well it forecasts, `calibration_svg` draws the latter.
    """

    __tablename__ = "predictor"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    artifact_digest: Mapped[str] = mapped_column(ForeignKey("artifact.digest"), unique=True)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    metrics: Mapped[dict[str, Any]]
    card: Mapped[str | None] = mapped_column(deferred=True)
    calibration_svg: Mapped[str | None] = mapped_column(deferred=True)
    active: Mapped[bool] = mapped_column(default=True)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)


class Adaptation(Base):
    """A predictor adapted to one target; at most one of a target is active.

    `support` lists the ids of the measurements it was adapted from.
    """

    __tablename__ = "adaptation"
    __table_args__ = (
        Index(
            "uq_adaptation_active",
            "target_id",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    predictor_id: Mapped[str] = mapped_column(ForeignKey("predictor.id"))
    target_id: Mapped[str] = mapped_column(ForeignKey("target.id"), index=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"))
    support: Mapped[list[Any]]
    artifact_digest: Mapped[str] = mapped_column(ForeignKey("artifact.digest"))
    metrics: Mapped[dict[str, Any]]
    active: Mapped[bool] = mapped_column(default=False)
    created_unix_s: Mapped[float] = mapped_column(default=time.time)
    api_key_id: Mapped[str | None]


class Score(Base):
    """A measurement of a network that had not been measured before, beside the forecast that stood until then.

    `space` is the search space whose texts the predictor reads, empty for one that reads graphs; `half_width` is that
    of the 90 % interval in log latency before it is scaled by `interval_scale`, None where nobody claimed one.
    """

    __tablename__ = "score"
    __table_args__ = (Index("ix_score_target", "target_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    target_id: Mapped[str] = mapped_column(ForeignKey("target.id", ondelete="CASCADE"))
    measurement_id: Mapped[int] = mapped_column(ForeignKey("measurement.id", ondelete="CASCADE"), unique=True)
    predictor: Mapped[str]
    kind: Mapped[str]
    space: Mapped[str]
    adapted: Mapped[bool]
    forecast_ms: Mapped[float]
    half_width: Mapped[float | None]
    interval_scale: Mapped[float]
    measured_ms: Mapped[float]
    sentinel_ms: Mapped[float | None]
    at_unix_s: Mapped[float] = mapped_column(default=time.time)


class Audit(Base):
    """Somebody did something: the key that called, None on the command line and on an open service."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at_unix_s: Mapped[float] = mapped_column(default=time.time)
    api_key_id: Mapped[str | None] = mapped_column(index=True)
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    detail: Mapped[dict[str, Any]]
