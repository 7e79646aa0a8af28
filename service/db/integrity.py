"""Looks whether a database is whole: its file, references, counters, and what only latcast knows of its bytes."""

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table, func, select, text

from latcast.schema import JobState
from latcast.schema.counting import counted
from service.db import tables
from service.db.copying import reflected
from service.db.migrate import current_revision, head_revision, require_own

__all__ = ["Findings", "look"]

NAMED = 5
"""Rows that a sentence names; the rest are counted."""
PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was seen of a database.

    Args:
        revision: that it is at; None where it is empty.
        head: the newest one.
        rows: number of rows of each table.
        problems: what is wrong, a sentence each.
    """

    revision: str | None
    head: str | None
    rows: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def look(connection: Connection) -> Findings:
    """Read everything; this takes as long as reading the database does, and changes nothing.

    Raises:
        InputError: it was made by a newer latcast, or by another program.
    """
    require_own(connection)
    revision, head = current_revision(connection), head_revision()
    there = reflected(connection)
    problems = [*_engine_problems(connection, there)]
    if revision == head:
        problems += _own_problems(connection)
    elif revision is not None:
        problems.append(f"It is at revision {revision}, this version needs {head}: latcast db upgrade.")
    rows = {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in there}
    return Findings(revision=revision, head=head, rows=rows, problems=tuple(problems))


def _engine_problems(connection: Connection, there: list[Table]) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        yield from _late_sequences(connection, there)
        return
    verdicts = connection.execute(text("PRAGMA integrity_check(20)")).scalars().all()
    yield from (f"The file is damaged: {verdict}." for verdict in verdicts if verdict != "ok")
    lost = [str(row[0]) for row in connection.execute(text("PRAGMA foreign_key_check"))]
    yield from (
        f"{counted(lost.count(name), f'row of {name} refers', f'rows of {name} refer')} to rows that are not there."
        for name in sorted(set(lost))
    )


def _late_sequences(connection: Connection, there: list[Table]) -> Iterator[str]:
    """Counters that would give a number twice, as after rows were put in with their numbers by hand."""
    for table in there:
        if (column := table.autoincrement_column) is None:
            continue
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        greatest = connection.scalar(select(func.max(column)))
        last = connection.scalar(text(f"SELECT last_value FROM {sequence}")) if sequence else None  # noqa: S608
        if greatest is not None and last is not None and last < greatest:
            yield f"The counter of {table.name} is at {last}, and there is a row {greatest}: latcast db upgrade."


def _own_problems(connection: Connection) -> Iterator[str]:
    yield from _named(
        "artifact differs from its digest", "artifacts differ from their digests", _wrong_artifacts(connection)
    )
    yield from _named("graph cannot be unpacked", "graphs cannot be unpacked", _wrong_graphs(connection))
    held = select(tables.Job.id).outerjoin(tables.Attempt, tables.Attempt.lease_token == tables.Job.lease_token)
    lost = held.where(tables.Job.state == JobState.LEASED, tables.Attempt.lease_token.is_(None))
    yield from _named("leased job has no attempt", "leased jobs have no attempt", iter(connection.scalars(lost)))


def _named(one: str, several: str, ids: Iterator[str]) -> Iterator[str]:
    names = list(ids)
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"{counted(len(names), one, several)}: {', '.join(names[:NAMED])}{more}."


def _wrong_artifacts(connection: Connection) -> Iterator[str]:
    query = select(tables.Artifact.digest, tables.Artifact.content)
    for digest, content in connection.execution_options(yield_per=1).execute(query):
        if hashlib.sha256(content).hexdigest() != digest:
            yield digest


def _wrong_graphs(connection: Connection) -> Iterator[str]:
    query = select(tables.Graph.hash, tables.Graph.model)
    for name, model in connection.execution_options(yield_per=20).execute(query):
        if not _can_be_unpacked(model):
            yield name


def _can_be_unpacked(content: bytes) -> bool:
    """Whether it is a whole zlib stream; in pieces, as what somebody wrote into the file may be of any size."""
    unpacker = zlib.decompressobj()
    try:
        while not unpacker.eof:
            if not unpacker.decompress(content, PIECE_BYTES) and not unpacker.unconsumed_tail:
                break
            content = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return unpacker.eof
