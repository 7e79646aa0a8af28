"""What was hidden is not there: one rule for every query of a session, so that none can forget it.

Devices, targets, graphs and measurements are taken out of sight by a time in `hidden_unix_s`, and come back when it is
empty again. Nothing learns from hidden rows, answers with them, lists or exports them. A statement that means all rows
says so by `execution_options=ALL_ROWS`; statements of a connection, as backups and migrations make them, see all.
"""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from sqlalchemy import Executable, event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from service.db import tables

__all__ = ["ALL_ROWS", "HIDEABLE", "VisibleOnly"]

HIDEABLE = (tables.Device, tables.Target, tables.Graph, tables.Measurement)
"""Tables whose rows can be hidden."""
_WITH_HIDDEN = "latcast_with_hidden"
ALL_ROWS: Mapping[str, bool] = {_WITH_HIDDEN: True}
"""Execution options of a statement that sees hidden rows, too."""
_CRITERIA = tuple(
    with_loader_criteria(table, table.hidden_unix_s.is_(None), include_aliases=True, propagate_to_loaders=False)
    for table in HIDEABLE
)


class VisibleOnly(Session):
    """A session whose queries leave hidden rows out."""


def _leave_out(state: ORMExecuteState) -> None:
    """Only what is asked for itself: what belongs to a row that is seen, as its target, comes with it."""
    if not state.is_select or state.is_column_load or state.is_relationship_load:
        return
    if not state.execution_options.get(_WITH_HIDDEN):
        statement = state.statement
        if (visible := _visible.get(statement)) is None:
            visible = _visible[statement] = statement.options(*_CRITERIA)
        state.statement = visible


_visible: WeakKeyDictionary[Executable, Executable] = WeakKeyDictionary()
"""Statements without what is hidden. Of one that is kept and asked again SQLAlchemy remembers how it is looked up,
which takes as long as to ask the database; of a new copy it does not.
"""


event.listen(VisibleOnly, "do_orm_execute", _leave_out)
