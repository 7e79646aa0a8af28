"""The state of a target's measurements, in short: what was kept of them is out of date once it differs."""

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db.statements import chunks
from service.db.tables import Measurement, Target
from service.db.visibility import ALL_ROWS

__all__ = ["revise", "rows_state"]


def rows_state(session: Session, target_id: TargetId) -> tuple[int | None, int | None]:
    """(id of the target's newest measurement, how often earlier ones were hidden, shown again or merged)."""
    newest = session.scalar(select(func.max(Measurement.id)).where(Measurement.target_id == target_id))
    revision = session.scalar(select(Target.revision).where(Target.id == target_id), execution_options=ALL_ROWS)
    return newest, revision


def revise(session: Session, target_ids: Collection[TargetId]) -> None:
    """Note that earlier measurements of these targets were hidden, shown again or merged."""
    for part in chunks(sorted(target_ids)):
        session.execute(
            update(Target).where(Target.id.in_(part)).values(revision=Target.revision + 1),
            execution_options={"synchronize_session": False},
        )
