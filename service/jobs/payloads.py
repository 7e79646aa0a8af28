"""What a job asks for, besides where: one record for each kind of job, and the one way into its row and out again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from latcast.schema import FeedSpec, GraphHash, JobKind, ProfileSettings, TargetId, from_plain
from service.db import tables
from service.db.records import storable

__all__ = ["AdaptPayload", "Payload", "Pool", "ProfilePayload", "TrainPayload", "parsed", "stored"]


class Payload(Protocol):
    """A frozen record that says what a job of its kind is to do."""

    kind: ClassVar[JobKind]


P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePayload:
    """How to measure a graph.

    Args:
        settings: of the measurement.
        feeds: what goes in; the default of the graph where empty.
    """

    kind: ClassVar[JobKind] = JobKind.PROFILE

    settings: ProfileSettings
    feeds: tuple[FeedSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What a sampler may choose from; without either the default spaces (`service.learning.adaptation`).

    Args:
        space: names of search spaces, of which random architectures are drawn.
        graphs: hashes of stored graphs, or names of rows of a public table.
    """

    space: tuple[str, ...] = ()
    graphs: tuple[GraphHash, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptPayload:
    """How to adapt a predictor to a target.

    Args:
        samples: how many graphs are measured.
        sampler: the name of the sampler that chooses them.
        pool: what it chooses from.
        settings: how to measure, where it differs from the default (`profilers.backends.target_settings`).
        seed: of the pool and the choice.
        predictor: what is adapted (`PredictorCatalogue.named`); None for the first one that answers.
    """

    kind: ClassVar[JobKind] = JobKind.ADAPT

    samples: int
    sampler: str
    pool: Pool = Pool()
    settings: Mapping[str, bool | int | float] = field(default_factory=dict)
    seed: int = 0
    predictor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPayload:
    """What is trained, and on which of the measurements.

    Args:
        predictor: kind of the predictor, as registered in `latcast.predictors`.
        targets: ids of the targets whose measurements count; all where empty.
        spaces: search spaces whose networks count; all networks where empty.
        since_unix_s: time of the oldest measurement that counts.
        tables: whether public tables count. None: where targets are named, or where the predictor reads architectures
            alone.
        rows_per_target: most measurements of each target, chosen at random.
        hyperparameters: arguments of the predictor's constructor.
        seed: of everything random.
        folds: parts of the networks that are held out in turn.
        target_folds: parts of the targets that are held out in turn.
        activate: whether the predictor answers, and is adapted, as soon as it is trained.
        workers: processes that do it, no more than the worker has cores, or tasks at a time on a Ray cluster; None for
            the number that its settings have.
    """

    kind: ClassVar[JobKind] = JobKind.TRAIN

    predictor: str
    targets: tuple[TargetId, ...] = ()
    spaces: tuple[str, ...] = ()
    since_unix_s: float | None = None
    tables: bool | None = None
    rows_per_target: int | None = None
    hyperparameters: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    seed: int = 0
    folds: int = 4
    target_folds: int = 4
    activate: bool = False
    workers: int | None = None


def stored(payload: Payload) -> dict[str, Any]:
    """The payload as a job's row keeps it.

    Raises:
        InputError: a number or a text that the databases cannot keep.
    """
    plain: dict[str, Any] = storable(payload)
    return plain


def parsed(cls: type[P], job: tables.Job) -> P:
    """The payload of a job of the record's kind.

    Raises:
        InputError: the row holds something else.
    """
    return from_plain(cls, job.payload, path=f"payload of job {job.id}")
