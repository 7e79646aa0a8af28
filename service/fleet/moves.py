"""Machines whose fingerprint changed with version 0.2 keep what they have: rows move to the ids that follow from it."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import Column, delete, or_, select, update
from sqlalchemy.orm import Session

from latcast.schema import FINISHED_STATES, ArtifactError, Device, JobState, LeaseOutcome, TargetId
from predictors.artifact import Artifact
from profilers.host.fingerprint import same_hardware
from service.db import records, tables
from service.db.tables import Base

__all__ = ["find_registered", "move"]

log = structlog.get_logger(__name__)


def find_registered(session: Session, device: Device, former_fingerprint: str | None) -> tables.Device | None:
    """The row of this machine, under whichever of its fingerprints it is registered; None where it is new.

    An agent of version 0.1 sends the former fingerprint as the only one, also after its device has moved. A row with
    that fingerprint counts as long as the hardware agrees: a clone of an image on other hardware is another device.
    """
    row = session.get(tables.Device, records.device_id(device.fingerprint))
    if row is not None:
        return row
    table = tables.Device
    former = records.device_id(former_fingerprint) if former_fingerprint else None
    rows = session.scalars(select(table).where(or_(table.former_fingerprint == device.fingerprint, table.id == former)))
    return next((row for row in rows if same_hardware(records.device_record(row), device)), None)


def move(session: Session, former: tables.Device, device: Device) -> tables.Device:
    """Give everything that the former row has to a row of the new fingerprint: nothing is lost, nothing is there twice.

    Targets keep the id that they had as `former_id`, by which callers and late reports still find them. Predictors know
    targets by their ids, so the artifacts that know one of these are written anew.
    """
    row = records.device_row(device)
    row.created_unix_s, row.former_fingerprint = former.created_unix_s, former.fingerprint
    session.add(row)
    session.flush()
    _give_back_steps(session, former)
    targets = session.scalars(select(tables.Target).where(tables.Target.device_id == former.id).with_for_update()).all()
    ids = {target.id: _move_target(session, target, row) for target in targets}
    for column in _references(_column(tables.Device, "id")):
        session.execute(update(column.table).where(column == former.id).values({column.name: row.id}))
    _rename_in_artifacts(session, ids)
    session.expire_all()
    session.delete(former)
    session.flush()
    return row


def _give_back_steps(session: Session, device: tables.Device) -> None:
    """Return the service's own jobs of the device to the queue: the step under way names a target that moves.

    Jobs are locked before targets, as by whoever ends a lease, so that neither waits for the other in a circle.
    """
    targets = select(tables.Target.id).where(tables.Target.device_id == device.id)
    unfinished = select(tables.Job).where(tables.Job.target_id.in_(targets), tables.Job.state.not_in(FINISHED_STATES))
    for job in session.scalars(unfinished.order_by(tables.Job.id).with_for_update()).all():
        attempt = session.get(tables.Attempt, job.lease_token) if job.state == JobState.LEASED else None
        if attempt is not None and attempt.process is not None:
            attempt.outcome, attempt.ended_unix_s = LeaseOutcome.RELEASED, time.time()
            job.state, job.deadline_unix_s, job.attempts = JobState.QUEUED, None, job.attempts - 1
    session.flush()


def _move_target(session: Session, target: tables.Target, device: tables.Device) -> TargetId:
    record = replace(records.target_record(target), device=device.fingerprint)
    moved = records.target_row(record, device)
    moved.offered, moved.created_unix_s, moved.former_id = target.offered, target.created_unix_s, target.id
    session.add(moved)
    session.flush()
    for column in _references(_column(tables.Target, "id")):
        session.execute(update(column.table).where(column == target.id).values({column.name: moved.id}))
    session.expire_all()
    session.delete(target)
    session.flush()
    return moved.id


def _column(table: type[Base], name: str) -> Column[Any]:
    return Base.metadata.tables[table.__tablename__].columns[name]


def _references(key: Column[Any]) -> list[Column[Any]]:
    """The columns of all tables that refer to this one."""
    return [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if any(foreign.column is key for foreign in column.foreign_keys)
    ]


def _rename_in_artifacts(session: Session, ids: Mapping[TargetId, TargetId]) -> None:
    """Write those artifacts anew that know a target by a former id: the adapted ones of the targets, and all bases."""
    adapted = select(tables.Adaptation.artifact_digest).where(tables.Adaptation.target_id.in_(list(ids.values())))
    bases = select(tables.Predictor.artifact_digest)
    for digest in set(session.scalars(adapted)) | set(session.scalars(bases)):
        renamed = _renamed(session, digest, ids)
        if renamed is not None:
            for column in _references(_column(tables.Artifact, "digest")):
                session.execute(update(column.table).where(column == digest).values({column.name: renamed}))
            session.execute(delete(tables.Artifact).where(tables.Artifact.digest == digest))


def _renamed(session: Session, digest: str, ids: Mapping[TargetId, TargetId]) -> str | None:
    """Digest of the artifact with the ids of today, kept; None where it knows none of the former ones, or is broken."""
    content = session.scalar(select(tables.Artifact.content).where(tables.Artifact.digest == digest))
    if content is None or not any(former.encode() in content for former in ids):
        return None
    try:
        renamed = Artifact.from_bytes(content).renamed(ids).to_bytes()
    except ArtifactError as error:
        log.warning("an artifact keeps the former ids of targets", digest=digest, reason=str(error))
        return None
    name = hashlib.sha256(renamed).hexdigest()
    if session.get(tables.Artifact, name) is None:
        session.add(tables.Artifact(digest=name, content=renamed))
        session.flush()
    return name
