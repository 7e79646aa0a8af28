"""Measurements with kernels and counters, written together: a statement for each table, however many there are."""

from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from service.db import tables
from service.db.records import MeasurementValues

__all__ = ["insert_measurements"]

# Statements of tables rather than of mapped classes: nobody needs the rows as objects, of which a large report has
# hundreds of thousands.
_MEASUREMENTS = tables.Base.metadata.tables[tables.Measurement.__tablename__]
_INSERT = insert(_MEASUREMENTS).returning(_MEASUREMENTS.c.id, _MEASUREMENTS.c.lease_token)
_INSERT_KERNELS = insert(tables.Base.metadata.tables[tables.KernelMeasurement.__tablename__])
_INSERT_COUNTERS = insert(tables.Base.metadata.tables[tables.CounterReading.__tablename__])


def insert_measurements(session: Session, made: Sequence[MeasurementValues]) -> list[int]:
    """Insert measurements; the ids of their rows, in order.

    Args:
        session: in a transaction.
        made: reported measurements, each with a lease token of its own.

    Raises:
        IntegrityError: SQLAlchemy's; one of them is there already.
    """
    if not made:
        return []
    rows = session.execute(_INSERT, [each.row for each in made]).all()
    ids = {row.lease_token: row.id for row in rows}  # databases give them back in any order
    ordered = [ids[each.row["lease_token"]] for each in made]
    numbered = list(zip(ordered, made, strict=True))
    if kernels := [{"measurement_id": number, **each} for number, values in numbered for each in values.kernels]:
        session.execute(_INSERT_KERNELS, kernels)
    if counters := [{"measurement_id": number, **each} for number, values in numbered for each in values.counters]:
        session.execute(_INSERT_COUNTERS, counters)
    return ordered
