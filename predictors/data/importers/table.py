"""A plain table, CSV or Parquet: a row for each latency with the columns target, space, text and ms."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Architecture, InputError, Target
from predictors.data.importers.records import BACKEND, Column, Imported, Skipped, collect
from profilers.search_spaces import get_space

__all__ = ["COLUMNS", "import_table"]

COLUMNS = ("target", "space", "text", "ms")

_LONGEST_NAME = 200

_LISTED = 100
"""Number of skipped rows that the report names one by one; the others are counted."""


def import_table(path: Path, *, origin: str = "") -> Imported:
    """The rows of a table whose architecture is valid in its search space and whose `ms` is a number.

    Args:
        path: a file `*.parquet`, or CSV (UTF-8, comma, with a header).
        origin: source and licence of the table; the file's name by default.

    Raises:
        InputError: the file cannot be read, or columns are missing.
        ImportError: the file is Parquet and pyarrow is not installed.
    """
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    groups = dict[tuple[str, str], tuple[list[Architecture], list[float]]]()
    skipped, unlisted = list[Skipped](), 0
    for number, row in enumerate(rows, start=1):
        try:
            target, architecture, ms = _row(row)
        except InputError as error:
            if len(skipped) < _LISTED:
                skipped.append(Skipped(what=f"row {number}", reason=str(error), rows=1))
            else:
                unlisted += 1
            continue
        architectures, latencies = groups.setdefault((target, architecture.space), ([], []))
        architectures.append(architecture)
        latencies.append(ms)
    if unlisted:
        skipped.append(Skipped(what="further rows", reason="they cannot be read either", rows=unlisted))
    columns = [
        Column(
            target=_target(*key, origin or path.name), architectures=texts, latency_ms=np.array(ms, dtype=np.float64)
        )
        for key, (texts, ms) in groups.items()
    ]
    return collect(path.name, columns, skipped, statistic="reported")


def _target(device: str, space: str, origin: str) -> Target:
    return Target(device=device, backend=BACKEND, options={"space": space}, origin=origin)


def _row(row: dict[str, Any]) -> tuple[str, Architecture, float]:
    target, space, text = (row[name] for name in COLUMNS[:3])
    if not (isinstance(target, str) and target and isinstance(space, str) and isinstance(text, str)):
        raise InputError("target, space and text have to be texts.")
    if len(target) > _LONGEST_NAME or not target.isprintable():
        raise InputError(f"a target's name takes at most {_LONGEST_NAME} characters that can be printed.")
    try:
        ms = float(row["ms"])
    except (TypeError, ValueError):
        raise InputError(f"ms is {str(row['ms'])[:40]!r}, not a number.") from None
    return target, get_space(space).parse(text), ms


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check(path, reader.fieldnames or ())
            yield from reader
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is not a CSV file in UTF-8: {error}.") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check(path, file.schema_arrow.names)
            for batch in file.iter_batches(columns=list(COLUMNS)):
                yield from batch.to_pylist()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    except pyarrow.ArrowException as error:
        raise InputError(f"{path.name} is not a Parquet file: {error}.") from error


def _check(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(names)]
    if missing:
        raise InputError(f"{path.name} lacks the column {missing[0]!r}; its columns have to be {', '.join(COLUMNS)}.")
