"""Files of JSON lines that only grow, so that work which is interrupted goes on where it was.

A process that is killed leaves at most one line half-written: readers leave it out, and the next one to write cuts it
off. Nothing else is ever changed or taken away. One process writes at a time.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["JournalWriter", "whole_lines"]

TAIL_BYTES = 65536


class JournalWriter:
    """Appends to a journal; a context manager.

    Args:
        path: the file, which is made where it is missing; its folder has to be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        _cut_torn_line(self._path)
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, value: Any) -> None:
        """Write JSON values in a line; it is with the operating system when this returns."""
        self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a journal that are whole and not empty, each with its number from 1; none where there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and not line.isspace():
                yield number, line


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - TAIL_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
