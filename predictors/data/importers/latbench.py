"""LatBench (Dudziak et al., BRP-NAS, NeurIPS 2020, https://github.com/SamsungLabs/eagle): pickles of NAS-Bench-201.

One file for each device: a dictionary from the cell's six operators to the latency in seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Architecture, InputError, Target
from predictors.data.importers.records import BACKEND, Column, Imported, Skipped, collect
from predictors.data.importers.unpickling import MAX_BYTES, load_pickle
from profilers.search_spaces.nasbench201 import EDGES, OPERATORS

__all__ = ["ORIGIN", "import_latbench"]

ORIGIN = "LatBench (github.com/SamsungLabs/eagle), Apache-2.0 licence"


def import_latbench(path: Path) -> Imported:
    """The latencies of a pickle, or of a folder of pickles (`*.pickle`, `*.pkl`); a device is named as its file is.

    Raises:
        InputError: a folder holds no pickles, or a single file cannot be read. Such a file among several is skipped.
    """
    files = sorted([*path.glob("*.pickle"), *path.glob("*.pkl")]) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no pickles (*.pickle, *.pkl).")
    columns, skipped = list[Column](), list[Skipped]()
    for file in files:
        try:
            column, problems = _column(file)
        except InputError as error:
            if len(files) == 1:
                raise
            skipped.append(Skipped(what=file.name, reason=str(error)))
            continue
        columns.append(column)
        skipped += problems
    return collect(f"LatBench pickles in {path.name}", columns, skipped)


def _column(path: Path) -> tuple[Column, list[Skipped]]:
    table = load_pickle(_read(path), name=path.name)
    if not isinstance(table, dict) or not table:
        raise InputError(f"{path.name} does not hold a dictionary from architectures to seconds.")
    architectures, seconds, skipped = list[Architecture](), list[float](), list[Skipped]()
    for key, value in table.items():
        text = _text(key)
        if text is None or isinstance(value, bool) or not isinstance(value, int | float):
            problem = "is not six operators between 0 and 4" if text is None else "has no number of seconds"
            skipped.append(Skipped(what=f"{path.name}: {str(key)[:80]}", reason=f"the entry {problem}", rows=1))
            continue
        architectures.append(Architecture(space="nasbench201", text=text))
        seconds.append(value)
    if not architectures:
        raise InputError(f"{path.name} holds no architecture of NAS-Bench-201 with a number of seconds.")
    target = Target(device=path.stem, backend=BACKEND, options={"space": "nasbench201", "batch": "1"}, origin=ORIGIN)
    latency_ms = np.array(seconds, dtype=np.float64) * 1000
    return Column(target=target, architectures=architectures, latency_ms=latency_ms), skipped


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


def _text(key: Any) -> str | None:
    """The text of a cell whose operators and edges are numbered as in NAS-Bench-201; None for any other key."""
    if not isinstance(key, tuple | list) or len(key) != len(EDGES):
        return None
    if not all(isinstance(operator, int) and 0 <= operator < len(OPERATORS) for operator in key):
        return None
    parts = [f"{OPERATORS[operator]}~{source}" for operator, (source, _) in zip(key, EDGES, strict=True)]
    return f"|{parts[0]}|+|{'|'.join(parts[1:3])}|+|{'|'.join(parts[3:])}|"
