"""What is finished, on disk, so that an interrupted run goes on where it was."""

import json
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """Values by key in a file of JSON lines that only grows.

    Args:
        path: of the file; None keeps nothing on disk.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._restore(line)

    def get(self, key: str) -> Any:
        """The value; None where there is none."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a JSON value."""
        self._values[key] = value
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                # The newline in front parts it from a line that an interrupt cut short.
                file.write("\n" + json.dumps({"key": key, "value": value}, separators=(",", ":")) + "\n")

    def clear(self) -> None:
        """Remove the file: the run is complete."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _restore(self, line: str) -> None:
        """A line that an interrupt cut short is done again."""
        try:
            entry = json.loads(line)
            self._values[entry["key"]] = entry["value"]
        except (ValueError, KeyError, TypeError):
            return
