"""What is known of a target besides latencies of graphs: the microbenchmarks that its agent reported.

A row once written stays; of the newest version of the probes, the newest row that is not noisy represents its target.
"""

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.errors import ForbiddenError, NotFoundError
from latcast.schema import InputError, Microbench, TargetId, from_plain
from service.db import records, tables
from service.db.representative import representatives
from service.fleet.targets import find_target

__all__ = ["chosen_microbenches", "microbench_record", "save_microbench", "target_microbench"]

MOST_ENTRIES = 200
LONGEST_REASON = 2000
MOST_READINGS = 1000
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")


def save_microbench(session: Session, target_id: TargetId, microbench: Microbench, *, device_id: str) -> None:
    """Store what an agent reports of a target of its device; the same report twice is one row.

    Raises:
        NotFoundError: nobody registered the target.
        ForbiddenError: the target belongs to another device.
        InputError: the report is about another target, or holds what no microbenchmark gives.
    """
    target = find_target(session, target_id)
    if target.device_id != device_id:
        raise ForbiddenError(f"The target {target_id} belongs to another device; an agent reports of its own alone.")
    if microbench.target.id not in (target.id, target.former_id):
        raise InputError(f"The report is about the target {microbench.target.id}, not about {target_id}.")
    _check(microbench)
    row = _row(replace(microbench, target=records.target_record(target)))
    if session.scalar(select(tables.Microbench.id).where(tables.Microbench.digest == row.digest)) is None:
        session.add(row)


def _row(microbench: Microbench) -> tables.Microbench:
    record: dict[str, Any] = records.storable(microbench)
    del record["target"]
    text = json.dumps([microbench.target.id, record], sort_keys=True)
    return tables.Microbench(
        target_id=microbench.target.id,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        version=microbench.version,
        noisy=microbench.noisy,
        record=record,
    )


def _check(microbench: Microbench) -> None:
    """Refuse what no microbenchmark gives.

    Raises:
        InputError: says what and where.
    """
    entries: Mapping[str, Mapping[str, Any]] = {
        "values": microbench.values,
        "spread": microbench.spread,
        "missing": microbench.missing,
    }
    for where, found in entries.items():
        if len(found) > MOST_ENTRIES:
            raise InputError(f"{where}: at most {MOST_ENTRIES} entries, found {len(found)}.")
        wrong = next((name for name in found if not NAME.fullmatch(name)), None)
        if wrong is not None:
            raise InputError(f"{where}: {wrong[:80]!r} is no name of an entry (lower-case letters, digits, _).")
    if not microbench.values or not all(0 < value < math.inf for value in microbench.values.values()):
        raise InputError("values: there has to be an entry, and each has to be positive and finite.")
    if not all(0 <= value < math.inf for value in microbench.spread.values()):
        raise InputError("spread: each has to be finite and not negative.")
    if any(len(reason) > LONGEST_REASON for reason in microbench.missing.values()):
        raise InputError(f"missing: a reason has at most {LONGEST_REASON} characters.")
    if len(microbench.sentinel_ms) > MOST_READINGS or not 1 <= microbench.version < 2**31:
        raise InputError(f"At most {MOST_READINGS} readings of the sentinel, and a version from 1 on.")


def microbench_record(row: tables.Microbench, target: tables.Target) -> Microbench:
    """The microbenchmark that the rows describe."""
    return from_plain(Microbench, {**row.record, "target": target.record})


def chosen_microbenches(session: Session, target_ids: Collection[TargetId]) -> dict[TargetId, tables.Microbench]:
    """The row that represents each target that has one."""
    table = tables.Microbench
    rows = session.scalars(select(table).where(table.target_id.in_(list(target_ids))).order_by(table.version))
    chosen = representatives(rows, key=lambda row: (row.version, row.target_id))
    return {target_id: row for (_, target_id), row in chosen.items()}  # that of the newest version stays


def target_microbench(session: Session, target_id: TargetId) -> tuple[tables.Microbench, Microbench]:
    """The row that represents a target, and the record it describes.

    Raises:
        NotFoundError: nobody registered the target, or nobody ran microbenchmarks on it.
    """
    target = find_target(session, target_id)
    row = chosen_microbenches(session, [target.id]).get(target.id)
    if row is None:
        raise NotFoundError(f"Nobody has run microbenchmarks on target {target_id}; its agent does when it starts.")
    return row, microbench_record(row, target)
