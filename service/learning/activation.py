"""A base adapted to rows of a target: what comes of it, and how it becomes what answers for the target."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from latcast.schema import Target, TargetId
from predictors.artifact import Artifact
from predictors.artifact_difference import difference
from predictors.base import LatencyDataset, Predictor
from predictors.evaluation.leave_one_out import leave_one_out
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.weights import left_out_score
from profilers.caching import Cache
from service.db import tables
from service.db.session import Database
from service.graphs.resolver import Resolver
from service.learning import datasets
from service.learning.artifacts import PackedArtifact, complete_artifact, packed, put_packed, remove_unused
from service.learning.catalogue import SHIPPED, StoredPredictor, shipped_bases
from service.learning.contenders import leading, unwrapped
from service.learning.training_record import recorded_error

__all__ = [
    "KEPT",
    "MadeAdaptation",
    "ReadyAdaptation",
    "activate",
    "adaptation_to",
    "left_out_figures",
    "ready",
    "shipped_name",
]

KEPT = 5
"""Adaptations of a target that are kept: the one that answers, and those before it."""
SHIPPED_BYTES = 64 * 2**20
MOST_REFITS = 10
"""Larger supports are left out in this many parts: an adaptation to fifty networks may take more than a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeAdaptation:
    """What comes of adapting a base to measurements.

    Args:
        rows: ids of the measurements.
        artifact: the adapted predictor.
        figures: as `tables.Adaptation.metrics` keeps them.
        support: the measurements, as the base reads them.
        base: what was adapted; of a stack, the contender that is believed most.
    """

    rows: tuple[int, ...]
    artifact: Artifact
    figures: Mapping[str, Any]
    support: LatencyDataset
    base: StoredPredictor

    def judged(self, base: Predictor, target: Target) -> "MadeAdaptation":
        """The same, with its error on networks that are left out; takes ten times as long as adapting, and nothing for
        contenders, which are judged by that.
        """
        contenders = self.figures["contenders"]
        if contenders and self.figures["judged_support"] == len(self.rows):
            return self
        figures = left_out_figures(base, target, self.support)
        return self.judged_as({**figures, "judged_support": len(self.rows), "contenders": contenders})

    def judged_as(self, before: Mapping[str, Any]) -> "MadeAdaptation":
        """The same, with the error that an adaptation before it had; of others than its figures nothing is taken."""
        error = before.get("support_loo_median_ape")
        known = {"support_loo_median_ape": error, "support_median_ape": error}
        known |= {name: before.get(name) for name in ("support_loo_interval_score", "judged_support", "contenders")}
        return replace(self, figures={**self.figures, **known})


def adaptation_to(
    database: Database,
    resolver: Resolver,
    target: Target,
    base: StoredPredictor,
    rows: Sequence[int],
    *,
    failed: int = 0,
) -> MadeAdaptation:
    """Adapt a base to measurements of a target; the outcome is not judged yet.

    Args:
        database: that has the measurements.
        resolver: reads the graphs that the base wants.
        target: to adapt to.
        base: what is adapted.
        rows: ids of the measurements.
        failed: how many networks could not be measured.

    Raises:
        LatcastError: the base cannot be adapted to them; says why.
    """
    with database.read() as session:
        data = datasets.load_dataset(session, measurement_ids=rows, baseline_speed=True)
        sentinel_ms = datasets.baseline_sentinel_ms(session, rows)
    support = resolver.readable_rows(data, base.predictor)
    started = time.perf_counter()
    adapted = base.predictor.adapt(target, support, support.evidence.get(target.id))
    adapt_ms = (time.perf_counter() - started) * 1000
    answering, standings = unwrapped(adapted)
    contested = adapted.contest_ if isinstance(adapted, StackPredictor) else None
    figures = {
        "support": len(rows),
        "failed": failed,
        "adapt_ms": adapt_ms,
        "support_loo_median_ape": contested.median_ape if contested else None,
        "support_median_ape": contested.median_ape if contested else None,
        "support_loo_interval_score": None,
        "judged_support": len(rows) if contested else None,
        "contenders": [standing.to_plain() for standing in standings] or None,
        "record_median_ape": recorded_error(base.predictor, target),
        "sentinel_ms": sentinel_ms,
    }
    return MadeAdaptation(
        rows=tuple(rows),
        artifact=answering.to_artifact(),
        figures=figures,
        support=support,
        base=leading(base, adapted),
    )


def left_out_figures(base: Predictor, target: Target, support: LatencyDataset) -> dict[str, float | None]:
    """How networks of the support are forecast, each by an adaptation without it.

    Returns:
        `support_loo_median_ape`, the median absolute percentage error as a share (0.1 is 10 %), and
        `support_loo_interval_score` of 90 % intervals (less is better); None where too few are left to adapt to, as of
        a support of one network, and of predictors that claim no intervals.
    """
    evidence = support.evidence.get(target.id)
    left_out = leave_one_out(base, target, support, evidence, most_refits=MOST_REFITS)
    errors = left_out.percentage_errors(support.latency_ms)
    return {
        "support_loo_median_ape": None if np.isnan(errors).all() else float(np.nanmedian(errors)),
        "support_loo_interval_score": left_out_score(left_out, support.latency_ms),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAdaptation:
    """An adaptation that has only to be written.

    Args:
        made: what was made.
        artifact: of it, without what its base has, too.
        base_id: of the base's row, or its name where it is shipped.
        shipped: the base, where it is shipped, which has a row once something was adapted from it; None else.
    """

    made: MadeAdaptation
    artifact: PackedArtifact
    base_id: str
    shipped: "_ShippedBase | None"

    def judged(self, base: Predictor, target: Target) -> "ReadyAdaptation":
        """See `MadeAdaptation.judged`: the predictor is the same."""
        return replace(self, made=self.made.judged(base, target))


def ready(database: Database, base: StoredPredictor, made: MadeAdaptation) -> ReadyAdaptation:
    """Do all that takes long of writing an adaptation, so that nobody waits for its transaction.

    Args:
        database: that it will be written to.
        base: what was adapted.
        made: what came of it.

    Raises:
        ArtifactError: the base's artifact is not in the database, or broken.
    """
    shipped = _shipped(base) if base.id.startswith(SHIPPED) else None
    if shipped is not None:
        whole, digest = shipped.artifact, shipped.packed.digest
    else:
        with database.read() as session:
            digest = session.get_one(tables.Predictor, base.id).artifact_digest
            whole = complete_artifact(session, digest)
    artifact = packed(difference(made.artifact, whole, digest))
    return ReadyAdaptation(made=made, artifact=artifact, base_id=base.id, shipped=shipped)


class _ShippedBase(NamedTuple):
    """A base out of this package, as it is kept."""

    predictor: Predictor
    artifact: Artifact
    packed: PackedArtifact


_SHIPPED_BASES: Cache[str, _ShippedBase] = Cache(SHIPPED_BYTES, weigh=lambda base: 2 * len(base.packed.content))


def _shipped(base: StoredPredictor) -> _ShippedBase:
    kept = _SHIPPED_BASES.get(base.id)
    if kept is not None and kept.predictor is base.predictor:
        return kept
    artifact = base.predictor.to_artifact()
    return _SHIPPED_BASES.put(base.id, _ShippedBase(base.predictor, artifact, packed(artifact)))


def shipped_name(digest: str, kind: str) -> str | None:
    """Name of a predictor out of this package, by the artifact of its row; None where it is none of these."""
    bases = [base for base in shipped_bases() if base.predictor.kind == kind]
    return next((base.id for base in bases if _shipped(base).packed.digest == digest), None)


def activate(
    session: Session,
    target_id: TargetId,
    adaptation: ReadyAdaptation,
    *,
    job_id: str | None = None,
    api_key_id: str | None = None,
    replaces: str | None = None,
) -> tables.Adaptation:
    """Make an adaptation the only active one of its target; the oldest beyond `KEPT` go, with their artifacts.

    Args:
        session: in a transaction.
        target_id: the target.
        adaptation: to the target.
        job_id: of the job that asked for it; None where nobody did.
        api_key_id: of the key that asked for it.
        replaces: id of an adaptation that goes, the same before it was judged.
    """
    if replaces is not None:
        session.execute(delete(tables.Adaptation).where(tables.Adaptation.id == replaces))
    row = tables.Adaptation(
        predictor_id=_predictor_row(session, adaptation),
        target_id=target_id,
        job_id=job_id,
        support=list(adaptation.made.rows),
        artifact_digest=put_packed(session, adaptation.artifact),
        metrics=dict(adaptation.made.figures),
        active=True,
        api_key_id=api_key_id,
    )
    session.execute(update(tables.Adaptation).where(tables.Adaptation.target_id == target_id).values(active=False))
    session.add(row)
    session.flush()
    _remove_old(session, target_id)
    return row


def _remove_old(session: Session, target_id: TargetId) -> None:
    table = tables.Adaptation
    order = (table.active.desc(), table.created_unix_s.desc(), table.id.desc())
    old = session.execute(
        select(table.id, table.artifact_digest).where(table.target_id == target_id).order_by(*order).offset(KEPT)
    ).all()
    if old:
        session.execute(delete(table).where(table.id.in_([row.id for row in old])))
        remove_unused(session, {row.artifact_digest for row in old})


def _predictor_row(session: Session, adaptation: ReadyAdaptation) -> str:
    """Id of the base predictor's row; the shipped one gets a row when something is first adapted from it."""
    if adaptation.shipped is None:
        return session.get_one(tables.Predictor, adaptation.base_id).id
    artifact, digest = adaptation.shipped.artifact, adaptation.shipped.packed.digest
    row = session.scalar(select(tables.Predictor).where(tables.Predictor.artifact_digest == digest))
    if row is None:
        put_packed(session, adaptation.shipped.packed)
        # Not active: a newer package brings a newer shipped predictor, which must not lose to this row.
        row = tables.Predictor(kind=artifact.kind, artifact_digest=digest, metrics=dict(artifact.metrics), active=False)
        session.add(row)
        session.flush()
    return row.id
