"""What a target's forecasts depend on, as one short text."""

import hashlib
import json
from importlib.metadata import version

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from service.db import tables
from service.fleet.targets import find_target
from service.measurements.revisions import rows_state

__all__ = ["state_of"]


def state_of(session: Session, target_id: TargetId) -> str:
    """A text that differs as soon as an answer about the target's networks may: after a measurement, an adaptation, a
    training, or another version of this package with other predictors.

    Raises:
        NotFoundError: nobody registered the target.
    """
    found = find_target(session, target_id).id
    rows, measured = tables.Measurement, tables.Measurement.target_id == found
    adapted = select(tables.Adaptation.id).where(tables.Adaptation.target_id == found, tables.Adaptation.active)
    bases = select(tables.Predictor.id).where(tables.Predictor.active).order_by(tables.Predictor.id)
    depends = [
        *rows_state(session, found),
        session.scalar(select(func.count(rows.id)).where(measured)),
        session.scalar(adapted),
        list(session.scalars(bases)),
        version("latcast"),
    ]
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:16]
