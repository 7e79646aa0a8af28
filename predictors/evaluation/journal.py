"""The finished parts of a run, kept on disk, so that an interrupted run continues where it ended."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profilers.journal import JournalWriter, whole_lines

__all__ = ["Journal"]


class Journal:
    """JSON values by key, in a file that `profilers.journal` describes.

    Args:
        path: path of the file; None keeps nothing on disk.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, Any] = dict(_entries(path)) if path else {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> Any:
        """The value of a key; None where there is none."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value under a key; it replaces an earlier one."""
        self._values[key] = value
        if self._path is not None:
            with JournalWriter(self._path) as writer:
                writer.append({"key": key, "value": value})

    def clear(self) -> None:
        """Remove the file, because the run is complete."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """The entries of the file; a line that an interrupt cut short is skipped."""
    for _, line in whole_lines(path):
        try:
            entry = json.loads(line)
            yield entry["key"], entry["value"]
        except (ValueError, KeyError, TypeError):
            continue
