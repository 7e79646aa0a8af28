"""The append-only log of a campaign (`profilers.journal`): a line for each thing that happened, as it happens.

A line is `{"row": …}`, `{"check": …}` or `{"note": …}`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from latcast.schema import (
    Architecture,
    Device,
    GraphHash,
    InputError,
    Measurement,
    Microbench,
    Target,
    TargetId,
    from_plain,
    to_plain,
)
from profilers.journal import JournalWriter, whole_lines
from profilers.timing.sentinel import DRIFT, drift

__all__ = [
    "LOG_FILE",
    "CampaignLog",
    "Check",
    "Entry",
    "Note",
    "Row",
    "RowKey",
    "is_careful",
    "read_log",
    "read_rows",
    "row_key",
]

LOG_FILE = "log.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One architecture, measured or failed."""

    architecture: Architecture
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The sentinel's latency before and after a few rows that one process measured.

    Args:
        target: id of the target of the rows and of the sentinel.
        before_ms, after_ms: the sentinel's latencies.
        graphs: hashes of the rows between.
    """

    target: TargetId
    before_ms: float
    after_ms: float
    graphs: tuple[GraphHash, ...]

    @property
    def drifted(self) -> bool:
        """Whether the host changed its speed by more than `profilers.timing.sentinel.DRIFT`."""
        return drift(self.before_ms, self.after_ms) > DRIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A description of a target; the last one counts.

    Args:
        target: the target that is described.
        device: the machine.
        versions: versions of the software that took part.
        microbench: the target's microbenchmarks; None where they were not taken.
    """

    target: Target
    device: Device
    versions: Mapping[str, str] = field(default_factory=dict)
    microbench: Microbench | None = None


Entry = Row | Check | Note
KINDS: Mapping[str, type[Entry]] = {"row": Row, "check": Check, "note": Note}


RowKey = tuple[TargetId, Architecture, bool]
"""Target, architecture, and whether it was measured in processes of its own."""


class CampaignLog:
    """Writes a log; a context manager. What a killed process left half-written is cut off first.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_FILE
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = JournalWriter(self.path)

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    def append(self, entry: Entry) -> None:
        """Write one entry; it is with the operating system when this returns."""
        kind = next(kind for kind, cls in KINDS.items() if isinstance(entry, cls))
        self._journal.append({kind: to_plain(entry)})


def read_log(folder: Path, *, runs: bool = True) -> Iterator[Entry]:
    """Entries in order. The last line is left out when it is only half there.

    Args:
        folder: folder of a campaign.
        runs: whether to read samples and kernels; without them reading is several times faster.

    Raises:
        InputError: there is no log, or a line that is not an entry; says which.
    """
    path = folder / LOG_FILE
    if not path.exists():
        raise InputError(f"There is no {LOG_FILE} in {folder}: name the folder of a campaign.")
    for number, line in whole_lines(path):
        yield _decode(line, f"{path}, line {number}", runs=runs)


def _decode(line: bytes, place: str, *, runs: bool) -> Entry:
    try:
        plain: Any = json.loads(line)
        ((kind, value),) = plain.items()
        if kind == "row" and not runs:
            value["measurement"]["runs"] = []
        return from_plain(KINDS[kind], value)
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{place} is not an entry of a campaign's log: {error}") from error


def read_rows(folder: Path) -> list[Row]:
    """Rows in order, with the sentinel's readings around them; those around which it drifted are flagged as noisy.

    Raises:
        InputError: see `read_log`.
    """
    rows: list[Row] = []
    waiting: dict[TargetId, list[int]] = {}
    for entry in read_log(folder):
        if isinstance(entry, Check):
            for place in waiting.pop(entry.target, []):
                rows[place] = _with_check(rows[place], entry)
        elif isinstance(entry, Row):
            if not is_careful(entry):
                waiting.setdefault(entry.measurement.target.id, []).append(len(rows))
            rows.append(entry)
    return rows


def is_careful(row: Row) -> bool:
    """Whether a row was measured in fresh sandboxed processes, rather than in one that measures many graphs."""
    return row.measurement.settings.processes > 1


def row_key(row: Row) -> RowKey:
    """What a row measures."""
    return (row.measurement.target.id, row.architecture, is_careful(row))


def _with_check(row: Row, check: Check) -> Row:
    if row.measurement.graph not in check.graphs or row.measurement.failure is not None:
        return row
    readings = (check.before_ms, check.after_ms)
    noisy = row.measurement.noisy or check.drifted
    return replace(row, measurement=replace(row.measurement, sentinel_ms=readings, noisy=noisy))
