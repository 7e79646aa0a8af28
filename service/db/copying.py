"""Copies every row of one database into another one of the same revision, of whichever kind the two are."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Cast,
    Column,
    Connection,
    Insert,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal,
    select,
    update,
)

from latcast.schema import InputError
from service.db.statements import chunks

__all__ = ["VERSIONS", "copy_rows", "reflected", "set_sequences"]

VERSIONS = "alembic_version"
"""Alembic's own table, which says the revision."""
ROWS_AT_A_TIME = 200
"""Some rows hold megabytes."""

Row = Mapping[str, Any]


def reflected(connection: Connection) -> list[Table]:
    """The tables as the database has them, those first that others refer to; without that of the revision."""
    metadata = MetaData()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")  # somebody's own
        metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != VERSIONS]


def copy_rows(source: Connection, destination: Connection) -> dict[str, int]:
    """Copy all rows of all tables; how many there were of each. What somebody added to the source, as tables, views,
    triggers or columns of their own, stays behind.

    Args:
        source: in a transaction in which the database does not change.
        destination: in a transaction; its tables are empty, and all of them are in the source.

    Raises:
        InputError: the source lacks a table or a column.
    """
    found = {table.name: table for table in reflected(source)}
    tables = reflected(destination)
    for table in tables:
        _require_whole(table, found.get(table.name))
    return {table.name: _copy_table(source, found[table.name], destination, table) for table in tables}


def _require_whole(table: Table, found: Table | None) -> None:
    """Refuse a copy out of which something was taken.

    Raises:
        InputError: says what.
    """
    if found is None:
        raise InputError(f"The copy has no table {table.name!r}: somebody changed it. Restore from another one.")
    if missing := sorted(set(table.columns.keys()) - set(found.columns.keys())):
        raise InputError(
            f"The copy's table {table.name!r} has no column {missing[0]!r}: somebody changed it. Restore from another "
            "one."
        )


def _copy_table(source: Connection, table: Table, destination: Connection, copy: Table) -> int:
    """Copy one table; references to rows of the same table are filled in once those are there."""
    inner = [column.name for column in copy.columns if any(key.column.table is copy for key in column.foreign_keys)]
    keys = [column.name for column in copy.primary_key]
    count, later = 0, list[dict[str, Any]]()
    for rows in _batches(source, table, copy):
        later += [_part(row, keys, inner) for row in rows if any(row[name] is not None for name in inner)]
        first = [{**row, **dict.fromkeys(inner)} for row in rows] if inner else rows
        destination.execute(_insertion(destination, copy), first)
        count += len(rows)
    for references in chunks(later):
        destination.execute(_filling(copy, keys, inner), references)
    return count


def _batches(source: Connection, table: Table, copy: Table) -> Iterator[list[dict[str, Any]]]:
    query: Select[Any] = select(*(_read(table.c[column.name]) for column in copy.columns)).order_by(*table.primary_key)
    result = source.execution_options(yield_per=ROWS_AT_A_TIME).execute(query)
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _part(row: Row, keys: Iterable[str], inner: Iterable[str]) -> dict[str, Any]:
    return {**{f"key_{name}": row[name] for name in keys}, **{f"to_{name}": row[name] for name in inner}}


def _read(column: Column[Any]) -> Any:
    """JSON is copied as the text that it is: nothing is lost on the way, and NULL stays apart from null."""
    return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column


def _insertion(destination: Connection, table: Table) -> Insert:
    json = [column for column in table.columns if isinstance(column.type, JSON)]
    values: dict[str, BindParameter[Any] | Cast[Any]] = {
        column.name: bindparam(column.name, type_=column.type) for column in table.columns
    }
    for column in json:
        text = bindparam(column.name, type_=Text)
        # SQLite keeps JSON as text, and would make a number of it in a cast.
        values[column.name] = cast(text, JSON) if destination.dialect.name == "postgresql" else text
    return table.insert().values(values)


def _filling(table: Table, keys: Iterable[str], inner: Iterable[str]) -> Any:
    same = [table.c[name] == bindparam(f"key_{name}") for name in keys]
    return update(table).where(*same).values({name: bindparam(f"to_{name}") for name in inner})


def set_sequences(connection: Connection) -> None:
    """Let PostgreSQL count on from the greatest number of each table: rows that came with theirs do not count."""
    if connection.dialect.name != "postgresql":
        return
    for table in reflected(connection):
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            greatest = func.coalesce(select(func.max(column)).scalar_subquery(), literal(0))
            connection.execute(select(func.setval(sequence, func.greatest(greatest, 1), greatest > 0)))
