"""A target's measurements as CSV and Parquet."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from latcast.schema.printable import visible
from service.measurements.pages import MeasurementSummary

__all__ = ["csv_lines", "write_parquet"]

Rows = Iterable[tuple[MeasurementSummary, list[list[float]]]]
"""Rows with the samples of each process (`pages.iterate`)."""
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212")
"""Signs that begin a formula, full-width, small and mathematical forms too, which spreadsheets take for the same."""
ROWS_PER_GROUP, SAMPLES_PER_GROUP = 1000, 500_000
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
        ("samples_ms", pa.list_(pa.list_(pa.float64()))),
    ]
)
"""The columns of `MeasurementSummary`, and every sample of every process."""


def csv_lines(rows: Rows) -> Iterator[str]:
    """The rows as CSV (RFC 4180), header first, without the samples.

    Control characters in texts are escapes. A text that a spreadsheet would then take for a formula, blanks before its
    sign or not, gets an apostrophe in front.
    """
    yield _line([field.name for field in fields(MeasurementSummary)])
    for row, _ in rows:
        yield _line([_cell(value) for value in asdict(row).values()])


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _line(values: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()


def write_parquet(rows: Rows, out: IO[bytes]) -> None:
    """Write the rows with their samples as Parquet; as many samples are in memory as a group of rows holds."""
    with pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        count = 0
        for row, samples in rows:
            group.append({**asdict(row), "samples_ms": samples})
            count += sum(map(len, samples))
            if len(group) == ROWS_PER_GROUP or count >= SAMPLES_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
                group, count = [], 0
        writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
