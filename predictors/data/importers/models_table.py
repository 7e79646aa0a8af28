"""A table of ONNX files: a row for each latency with the columns onnx, target and ms, and optionally batch."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Graph, GraphHash, InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.data.importers.graph_files import GraphFiles, Prepare
from predictors.data.importers.latency_cells import latency_ms, require_unit
from predictors.data.importers.records import BACKEND, Imported, ImportReport, Skipped
from predictors.data.importers.table_files import MODEL_COLUMNS, TableFile, open_table, require_columns

__all__ = ["import_models_table"]

_LONGEST_NAME = 200
_LISTED = 100
"""Number of skipped rows that the report names one by one; the others are counted."""


@dataclass(slots=True)
class _Read:
    """Latencies by target and graph, and what was skipped."""

    rows: dict[tuple[str, GraphHash], list[float]] = field(default_factory=lambda: defaultdict(list))
    graphs: dict[GraphHash, Graph] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    unlisted: int = 0

    def skip(self, number: int, reason: str) -> None:
        if len(self.skipped) < _LISTED:
            self.skipped.append(Skipped(what=f"row {number}", reason=reason, rows=1))
        else:
            self.unlisted += 1


def import_models_table(
    path: Path,
    *,
    origin: str = "",
    columns: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    unit: str | None = None,
    prepare: Prepare | None = None,
) -> Imported:
    """The rows of a table whose ONNX file can be read and whose `ms` is a positive number.

    Paths are relative to the table's folder and may not lead out of it. Weights are left out, wherever they lie. A
    graph that has several rows of one target counts with their median.

    Args:
        path: a file `*.parquet`, or CSV with a header, see `open_table`.
        origin: source and licence of the table; the file's name by default.
        columns: names that columns have in the file by their names in `MODEL_COLUMNS`.
        fixed: values of columns that the file lacks, such as the `target` of all rows.
        unit: unit of latencies that carry none, see `import_table`.
        prepare: function that reads a model, see `GraphFiles`.

    Raises:
        InputError: the file cannot be read, columns are missing, or no row can be used; the message has the reason.
        UnknownNameError: `unit` is no unit, or `columns` names what no row needs.
        ImportError: the file is Parquet and pyarrow is not installed.
    """
    require_unit(unit)
    require_columns(columns or {}, MODEL_COLUMNS)
    files, read = GraphFiles(path.parent, prepare), _Read()
    with open_table(path, needed=MODEL_COLUMNS, columns=columns or {}, fixed=fixed or {}) as table:
        for number, row in enumerate(table.rows, start=1):
            try:
                _take(row, files, table, unit or table.unit or "ms", read)
            except InputError as error:
                read.skip(number, str(error))
    if not read.rows:
        raise InputError(f"No row of {path.name} could be used. {read.skipped[0] if read.skipped else 'It is empty.'}")
    return _imported(path.name, origin or path.name, read, files, table.remarks)


def _take(row: Mapping[str, Any], files: GraphFiles, table: TableFile, unit: str, read: _Read) -> None:
    name, target = row["onnx"], row["target"]
    if not (isinstance(name, str) and name.strip() and isinstance(target, str) and target.strip()):
        raise InputError("onnx and target have to be texts.")
    if len(target) > _LONGEST_NAME or not target.isprintable():
        raise InputError(f"a target's name takes at most {_LONGEST_NAME} characters that can be printed.")
    ms = latency_ms(row["ms"], unit=unit, decimal_comma=table.decimal_comma)
    if not (np.isfinite(ms) and ms > 0):
        raise InputError("the latency is not a positive number of ms.")
    graph = files.graph(name.strip(), _batch(row.get("batch")))
    read.graphs[graph.hash] = graph
    read.rows[target.strip(), graph.hash].append(ms)


def _batch(cell: Any) -> int | None:
    text = "" if cell is None else str(cell).strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise InputError(f"the batch {text[:40]!r} is no positive integer.")
    return int(text)


def _imported(source: str, origin: str, read: _Read, files: GraphFiles, remarks: Sequence[str]) -> Imported:
    names = dict.fromkeys(name for name, _ in read.rows)
    targets = {name: Target(device=name, backend=BACKEND, options={"space": "onnx"}, origin=origin) for name in names}
    queries = [Query(target=targets[name], graph=read.graphs[graph]) for name, graph in read.rows]
    medians = np.array([np.median(values) for values in read.rows.values()], dtype=np.float64)
    repeated = sum(map(len, read.rows.values())) - len(read.rows)
    rest = Skipped(what="further rows", reason="they cannot be read either", rows=read.unlisted)
    report = ImportReport(
        source=source,
        rows=len(queries),
        targets=tuple(targets.values()),
        skipped=(*read.skipped, *([rest] if read.unlisted else [])),
        remarks=(
            *remarks,
            *([f"Rows that repeat a graph on its target: {repeated:,}; their median counts."] * bool(repeated)),
        ),
    )
    data = LatencyDataset(queries=queries, latency_ms=medians)
    return Imported(dataset=data, report=report, models=files.models, names=files.names, statistic="reported")
