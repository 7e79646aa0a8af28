"""Machines whose fingerprint changed, or that were registered twice, keep what they have: rows move to other ids."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import Column, delete, or_, select, update
from sqlalchemy.orm import Session

from latcast.schema import FINISHED_STATES, ArtifactError, Device, InputError, JobState, LeaseOutcome, TargetId
from predictors.artifact import Artifact
from profilers.host.fingerprint import same_hardware
from service.db import records, tables
from service.db.tables import Base
from service.db.visibility import ALL_ROWS

__all__ = ["find_registered", "merge", "merge_targets", "move"]

log = structlog.get_logger(__name__)


def find_registered(session: Session, device: Device, former_fingerprint: str | None) -> tables.Device | None:
    """The row of this machine, hidden or not, under whichever of its fingerprints it is registered; None if it is new.

    An agent of version 0.1 sends the former fingerprint as the only one, also after its device has moved. A row with
    that fingerprint counts as long as the hardware agrees: a clone of an image on other hardware is another device.
    """
    row = session.get(tables.Device, records.device_id(device.fingerprint), execution_options=ALL_ROWS)
    if row is not None:
        return row
    table = tables.Device
    former = records.device_id(former_fingerprint) if former_fingerprint else None
    named = select(table).where(or_(table.former_fingerprint == device.fingerprint, table.id == former))
    rows = session.scalars(named, execution_options=ALL_ROWS)
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
    row.given_name, row.name = former.given_name, former.given_name or row.name
    ids = {target.id: _move_target(session, target, row) for target in _targets_of(session, former)}
    _take_over(session, former, row)
    _rename_in_artifacts(session, ids)
    return row


def merge(session: Session, former: tables.Device, into: tables.Device) -> None:
    """Give everything that one device has to another, which the same machine was registered as, too.

    Targets that both have become one, whose measurements are those of both; of two adaptations that of `into` stays.
    The id and the fingerprint of the former stand for `into` from now on, as far as it has no others of before.

    Raises:
        InputError: they are one, or their hardware differs.
    """
    if former.id == into.id:
        raise InputError("A device cannot be merged into itself.")
    if not same_hardware(records.device_record(former), records.device_record(into)):
        raise InputError(f"{former.name} and {into.name} have other hardware: what they measured is not of one device.")
    _give_back_steps(session, former)
    for target in _targets_of(session, former):
        record = replace(records.target_record(target), device=into.fingerprint)
        same = session.get(tables.Target, record.id, execution_options=ALL_ROWS)
        if same is None:
            _rename_in_artifacts(session, {target.id: _move_target(session, target, into)})
        else:
            merge_targets(session, target, same)
    fingerprint = former.fingerprint
    _take_over(session, former, into)
    into.former_fingerprint = into.former_fingerprint or fingerprint
    session.flush()


def merge_targets(session: Session, former: tables.Target, into: tables.Target) -> None:
    """Give what was measured on one target to another; its id stands for `into`, unless another one does already.

    Raises:
        InputError: they are one, or one is of a public table and the other is not.
    """
    if former.id == into.id:
        raise InputError("A target cannot be merged into itself.")
    if bool(former.origin) != bool(into.origin):
        raise InputError("Measurements and rows of a public table are not merged.")
    mine = update(tables.Adaptation).where(tables.Adaptation.target_id == former.id)
    session.execute(mine.values(active=False), execution_options={"synchronize_session": False})
    _give_rows(session, former, into)
    into.former_id, into.revision = into.former_id or former.id, into.revision + 1
    session.delete(former)
    session.flush()


def _targets_of(session: Session, device: tables.Device) -> Sequence[tables.Target]:
    mine = select(tables.Target).where(tables.Target.device_id == device.id).with_for_update()
    return session.scalars(mine, execution_options=ALL_ROWS).all()


def _take_over(session: Session, former: tables.Device, row: tables.Device) -> None:
    """Let what refers to the former device refer to the other, and delete it."""
    for column in _references(_column(tables.Device, "id")):
        session.execute(update(column.table).where(column == former.id).values({column.name: row.id}))
    session.expire_all()
    session.delete(former)
    session.flush()


def _give_back_steps(session: Session, device: tables.Device) -> None:
    """Return the service's own jobs of the device to the queue: the step under way names a target that moves.

    Jobs are locked before targets, as by whoever ends a lease, so that neither waits for the other in a circle.
    """
    targets = select(tables.Target.id).where(tables.Target.device_id == device.id)
    unfinished = select(tables.Job).where(tables.Job.target_id.in_(targets), tables.Job.state.not_in(FINISHED_STATES))
    ordered = unfinished.order_by(tables.Job.id).with_for_update()
    for job in session.scalars(ordered, execution_options=ALL_ROWS).all():
        attempt = session.get(tables.Attempt, job.lease_token) if job.state == JobState.LEASED else None
        if attempt is not None and attempt.process is not None:
            attempt.outcome, attempt.ended_unix_s = LeaseOutcome.RELEASED, time.time()
            job.state, job.deadline_unix_s, job.attempts = JobState.QUEUED, None, job.attempts - 1
    session.flush()


def _move_target(session: Session, target: tables.Target, device: tables.Device) -> TargetId:
    record = replace(records.target_record(target), device=device.fingerprint)
    moved = records.target_row(record, device)
    moved.offered, moved.created_unix_s, moved.former_id = target.offered, target.created_unix_s, target.id
    moved.hidden_unix_s, moved.revision = target.hidden_unix_s, target.revision + 1
    session.add(moved)
    session.flush()
    _give_rows(session, target, moved)
    session.delete(target)
    session.flush()
    return moved.id


def _give_rows(session: Session, target: tables.Target, other: tables.Target) -> None:
    for column in _references(_column(tables.Target, "id")):
        session.execute(update(column.table).where(column == target.id).values({column.name: other.id}))
    session.expire_all()


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
    bases = session.scalars(select(tables.Predictor.artifact_digest)).all()
    renamed = _replace_artifacts(session, bases, ids)
    adapted = select(tables.Adaptation.artifact_digest).join(tables.Predictor)
    theirs = tables.Adaptation.target_id.in_(list(ids.values()))
    of_renamed = tables.Predictor.artifact_digest.in_(list(renamed.values()))  # they are kept without their base's part
    _replace_artifacts(session, session.scalars(adapted.where(or_(theirs, of_renamed))).all(), {**ids, **renamed})


def _replace_artifacts(session: Session, digests: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Write those of the artifacts anew that have one of these texts; the new digests of their former ones."""
    replaced: dict[str, str] = {}
    for digest in set(digests):
        renamed = _renamed(session, digest, names)
        if renamed is not None:
            for column in _references(_column(tables.Artifact, "digest")):
                session.execute(update(column.table).where(column == digest).values({column.name: renamed}))
            session.execute(delete(tables.Artifact).where(tables.Artifact.digest == digest))
            replaced[digest] = renamed
    return replaced


def _renamed(session: Session, digest: str, names: Mapping[str, str]) -> str | None:
    """Digest of the artifact with the names of today, kept; None where it has none of the former ones, or is broken."""
    content = session.scalar(select(tables.Artifact.content).where(tables.Artifact.digest == digest))
    if content is None or not any(former.encode() in content for former in names):
        return None
    try:
        renamed = Artifact.from_bytes(content).renamed(names).to_bytes()
    except ArtifactError as error:
        log.warning("an artifact keeps the former ids of targets", digest=digest, reason=str(error))
        return None
    name = hashlib.sha256(renamed).hexdigest()
    if session.get(tables.Artifact, name) is None:
        session.add(tables.Artifact(digest=name, content=renamed))
        session.flush()
    return name
