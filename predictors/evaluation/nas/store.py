"""Finished units on disk."""

import json
from pathlib import Path
from typing import Any

from predictors.evaluation.nas.units import Unit

__all__ = ["Store"]


class Store:
    """Finished units in a file of JSON lines, so that an interrupted run goes on where it was.

    Args:
        path: of the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.done: dict[str, list[dict[str, Any]]] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._restore(line)

    def add(self, unit: Unit, rows: list[dict[str, Any]]) -> None:
        """Keep a unit's rows."""
        self.done[unit.key] = rows
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                # The newline in front parts it from a line that an interrupt cut short.
                file.write("\n" + json.dumps({"unit": unit.key, "rows": rows}) + "\n")

    def clear(self) -> None:
        """Remove the file: the run is complete."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _restore(self, line: str) -> None:
        """A line that an interrupt cut short is done again."""
        try:
            entry = json.loads(line)
            self.done[entry["unit"]] = entry["rows"]
        except (ValueError, KeyError, TypeError):
            return
