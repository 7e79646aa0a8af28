"""A plain table, CSV or Parquet: a row for each latency with the columns target, space, text and ms."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Architecture, InputError, Target, UnknownNameError
from predictors.data.importers.latency_cells import latency_ms, require_unit
from predictors.data.importers.plausibility import remarks_on
from predictors.data.importers.records import BACKEND, Column, Imported, Skipped, collect
from predictors.data.importers.table_files import COLUMNS, TableFile, open_table, require_columns
from profilers.search_spaces import get_space
from profilers.search_spaces.indices import read_indices
from profilers.search_spaces.nasbench201 import INDEX_ORDERS, NASBench201

__all__ = ["COLUMNS", "import_table"]

_LONGEST_NAME = 200

_LISTED = 100
"""Number of skipped rows that the report names one by one; the others are counted."""

_MOST_VALUES = 50
"""A column with more values than this tells networks apart, not data sets."""

_OF_RUNS = frozenset({
    "", "#", "date", "id", "index", "iteration", "no", "repeat", "repetition", "row", "run", "seed", "timestamp",
    "trial", "unnamed: 0",
})  # fmt: skip
"""Columns that number rows, as the index without a name that pandas writes does, or runs of one measurement."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A usable row; `others` are its cells in columns that no latency needs."""

    target: str
    architecture: Architecture
    ms: float
    others: tuple[str, ...]


@dataclass(slots=True)
class _Read:
    """The usable rows of a table, and what was skipped."""

    rows: list[_Row] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unlisted: int = 0

    def skip(self, number: int, reason: str) -> None:
        if len(self.skipped) < _LISTED:
            self.skipped.append(Skipped(what=f"row {number}", reason=reason, rows=1))
        else:
            self.unlisted += 1

    def all_skipped(self) -> list[Skipped]:
        rest = Skipped(what="further rows", reason="they cannot be read either", rows=self.unlisted)
        return [*self.skipped, *([rest] if self.unlisted else [])]


def import_table(
    path: Path,
    *,
    origin: str = "",
    columns: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    unit: str | None = None,
    order: str | None = None,
) -> Imported:
    """The rows of a table whose architecture is valid in its search space and whose `ms` is a number.

    Columns may have other usual names (`device`, `arch`, `latency_us`), cells may carry units, and tables that are
    not separated by commas may have decimal commas. Where architectures occur several times in a target and another
    column tells those rows apart (a data set, a batch size), each of its values is a target of its own.

    Args:
        path: a file `*.parquet`, or CSV with a header, see `open_table`.
        origin: source and licence of the table; the file's name by default.
        columns: names that columns have in the file by their names in `COLUMNS`.
        fixed: values of columns that the file lacks, such as the `target` of all rows.
        unit: one of `UNITS`, of latencies that carry none; what the column's name states, or ms, by default.
        order: one of `INDEX_ORDERS`, of cells of NAS-Bench-201 that are written as indices and name none.

    Raises:
        InputError: the file cannot be read, or columns are missing.
        UnknownNameError: `unit` is no unit, `order` no order, or `columns` names what no row needs.
        ImportError: the file is Parquet and pyarrow is not installed.
    """
    require_unit(unit)
    _require_order(order)
    require_columns(columns or {}, COLUMNS)
    with open_table(path, columns=columns or {}, fixed=fixed or {}) as table:
        read = _read(table, unit or table.unit or "ms", order)
    split, remarks = _telling_columns(table, read.rows)
    remarks += table.remarks
    groups = _groups(read.rows, table, split, origin or path.name)
    if unit is None and table.unit is None and table.column.lower() != "ms":
        remarks.append(f"The column {table.column!r} names no unit and is taken as ms; --unit says otherwise.")
    remarks += remarks_on(groups, unit=unit or table.unit or "ms")
    return collect(path.name, groups, read.all_skipped(), statistic="reported", remarks=remarks)


def _require_order(order: str | None) -> None:
    names = [known.name for known in INDEX_ORDERS]
    if order is not None and order not in names:
        raise UnknownNameError("order of indices", order, names)


def _read(table: TableFile, unit: str, order: str | None) -> _Read:
    read = _Read()
    for number, row in enumerate(table.rows, start=1):
        try:
            target, architecture = _what(row, order)
            ms = latency_ms(row["ms"], unit=unit, decimal_comma=table.decimal_comma)
        except InputError as error:
            read.skip(number, str(error))
            continue
        others = tuple(str("" if row[name] is None else row[name]).strip() for name in table.others)
        read.rows.append(_Row(target, architecture, ms, others))
    return read


def _what(row: Mapping[str, Any], order: str | None) -> tuple[str, Architecture]:
    target, space, text = row["target"], row["space"], _written(row["text"])
    if not (isinstance(target, str) and target and isinstance(space, str) and isinstance(text, str)):
        raise InputError("target, space and text have to be texts.")
    if len(target) > _LONGEST_NAME or not target.isprintable():
        raise InputError(f"a target's name takes at most {_LONGEST_NAME} characters that can be printed.")
    known = get_space(space.strip())
    if order is not None and known.name == NASBench201.name and read_indices(text) is not None:
        text = f"{order}:{text}"
    return target, known.parse(text.strip())


def _written(cell: Any) -> Any:
    """A cell as text, where it is a list of indices or a number whose digits are some, as Parquet has them."""
    if isinstance(cell, list | tuple):
        return ",".join(map(str, cell))
    return str(cell) if isinstance(cell, int) else cell


def _telling_columns(table: TableFile, rows: Sequence[_Row]) -> tuple[tuple[int, ...], list[str]]:
    """Indices of the other columns that tell rows of one architecture and target apart, and a remark on them."""
    repeated = _repeated(rows)
    split: tuple[int, ...] = ()
    for index, name in enumerate(table.others):
        values = {row.others[index] for row in rows}
        if not repeated or not 1 < len(values) <= _MOST_VALUES or name.lower() in _OF_RUNS:
            continue
        fewer = _repeated(rows, (*split, index))
        if fewer < repeated:
            split, repeated = (*split, index), fewer
    names = " and ".join(repr(table.others[index]) for index in split)
    remark = f"The column {names} tells rows of one network apart: each of its values is a target of its own."
    return split, [remark] if split else []


def _repeated(rows: Sequence[_Row], split: Sequence[int] = ()) -> int:
    """Number of rows beyond the first of the same target, architecture and values of the columns `split`."""
    return len(rows) - len({(row.target, row.architecture, *(row.others[index] for index in split)) for row in rows})


def _groups(rows: Sequence[_Row], table: TableFile, split: Sequence[int], origin: str) -> list[Column]:
    grouped = defaultdict[tuple[str, ...], list[_Row]](list)
    for row in rows:
        grouped[row.target, row.architecture.space, *(row.others[index] for index in split)].append(row)
    return [_column(key, members, [table.others[index] for index in split], origin) for key, members in grouped.items()]


def _column(key: tuple[str, ...], rows: Sequence[_Row], names: Sequence[str], origin: str) -> Column:
    device, space, *values = key
    options = {"space": space, **{name: value or "none" for name, value in zip(names, values, strict=True)}}
    return Column(
        target=Target(device=device, backend=BACKEND, options=options, origin=origin),
        architectures=[row.architecture for row in rows],
        latency_ms=np.array([row.ms for row in rows], dtype=np.float64),
    )
