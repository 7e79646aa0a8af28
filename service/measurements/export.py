"""A target's measurements as CSV and Parquet, with what they were made on."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema.printable import visible
from service.db.records import target_record
from service.db.tables import CounterReading, Device, KernelMeasurement, Target
from service.db.visibility import ALL_ROWS
from service.measurements.pages import MeasurementSummary

__all__ = ["csv_lines", "write_parquet"]

Rows = Iterable[tuple[MeasurementSummary, list[list[float]]]]
"""Rows with the samples of each process (`pages.iterate`)."""
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212")
"""Signs that begin a formula, full-width, small and mathematical forms too, which spreadsheets take for the same."""
ROWS_PER_GROUP, SAMPLES_PER_GROUP, ROWS_WITH_KERNELS = 1000, 500_000, 100
OF_TARGET = {"device": pa.string(), "backend": pa.string(), "backend_version": pa.string(), "precision": pa.string(),
             "threads": pa.int64()}  # fmt: skip
"""Columns that are the same in every row of a target, so that files of several targets can be put together."""
KERNEL = pa.struct(
    [
        ("run", pa.int64()),
        ("operator", pa.string()),
        ("share", pa.float64()),
        ("time_ms", pa.float64()),
        ("node", pa.int64()),
        ("input_shapes", pa.list_(pa.list_(pa.int64()))),
        ("output_shapes", pa.list_(pa.list_(pa.int64()))),
        ("dtype", pa.string()),
    ]
)
COUNTER = pa.struct(
    [
        ("run", pa.int64()),
        ("event", pa.string()),
        ("value", pa.float64()),
        ("enabled_ns", pa.int64()),
        ("running_ns", pa.int64()),
        ("absent", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("target", pa.string()),
        ("graph", pa.string()),
        ("space", pa.string()),
        ("text", pa.string()),
        ("median_ms", pa.float64()),
        ("p10_ms", pa.float64()),
        ("p90_ms", pa.float64()),
        ("iqr_ms", pa.float64()),
        ("samples", pa.int64()),
        ("process_spread", pa.float64()),
        ("statistic", pa.string()),
        ("noisy", pa.bool_()),
        ("failure_stage", pa.string()),
        ("failure_message", pa.string()),
        ("feeds_key", pa.string()),
        ("peak_memory_bytes", pa.int64()),
        ("created_unix_s", pa.float64()),
        ("file_precision", pa.string()),
        ("agent", pa.string()),
        ("job", pa.string()),
        *OF_TARGET.items(),
        ("samples_ms", pa.list_(pa.list_(pa.float64()))),
        ("kernels", pa.list_(KERNEL)),
        ("counters", pa.list_(COUNTER)),
    ]
)
"""The columns of `MeasurementSummary` and of the target; every sample of every process, its kernels and counters."""
SUMMARY = [name for name in (field.name for field in fields(MeasurementSummary)) if name in SCHEMA.names]


def csv_lines(session: Session, target: Target, rows: Rows) -> Iterator[str]:
    """The rows as CSV (RFC 4180), header first, without samples, kernels and counters.

    Control characters in texts are escapes. A text that a spreadsheet would then take for a formula, blanks before its
    sign or not, gets an apostrophe in front.
    """
    described = _described(session, target)
    yield _line([*SUMMARY, *described])
    for row, _ in rows:
        yield _line([_cell(value) for value in (*(getattr(row, name) for name in SUMMARY), *described.values())])


def _described(session: Session, target: Target) -> Mapping[str, Any]:
    """Values of the columns that are the target's."""
    record = target_record(target)
    device = session.get(Device, target.device_id, execution_options=ALL_ROWS) if target.device_id else None
    named = {"device": device.name if device else record.device}
    return {name: named.get(name, getattr(record, name)) for name in OF_TARGET}


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _line(values: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()


def write_parquet(session: Session, target: Target, rows: Rows, out: IO[bytes]) -> None:
    """Write the rows with samples, kernels and counters as Parquet; as much is in memory as a group of rows holds.

    The file's metadata has the whole records of device and target as JSON, under `latcast`.
    """
    device = session.get(Device, target.device_id, execution_options=ALL_ROWS) if target.device_id else None
    records = {"target": target.record, "device": device.record if device else None}
    schema = SCHEMA.with_metadata({"latcast": json.dumps(records)})
    described = _described(session, target)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        count = 0
        for row, samples in rows:
            group.append({**asdict(row), **described, "samples_ms": samples})
            count += sum(map(len, samples))
            if len(group) == ROWS_PER_GROUP or count >= SAMPLES_PER_GROUP:
                _write_group(session, writer, group)
                group, count = [], 0
        _write_group(session, writer, group)


def _write_group(session: Session, writer: pq.ParquetWriter, group: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(group), ROWS_WITH_KERNELS) or (0,):
        part = group[start : start + ROWS_WITH_KERNELS]
        ids = [row["id"] for row in part]
        kernels, counters = (
            _parts(session, KernelMeasurement, KERNEL, ids),
            _parts(session, CounterReading, COUNTER, ids),
        )
        whole = [{**row, "kernels": kernels.get(row["id"]), "counters": counters.get(row["id"])} for row in part]
        writer.write_table(pa.Table.from_pylist(whole, schema=writer.schema))


def _parts(
    session: Session, table: type[KernelMeasurement] | type[CounterReading], struct: pa.StructType, ids: Sequence[int]
) -> Mapping[int, list[Mapping[str, Any]]]:
    """What the measurements have of a table, in order, by measurement."""
    names = [field.name for field in struct]
    query = select(table.measurement_id, *(getattr(table, name) for name in names)).where(table.measurement_id.in_(ids))
    found: dict[int, list[Mapping[str, Any]]] = {}
    for row in session.execute(query.order_by(*table.__table__.primary_key)):
        found.setdefault(row.measurement_id, []).append({name: getattr(row, name) for name in names})
    return found
