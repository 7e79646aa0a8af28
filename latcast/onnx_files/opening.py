"""Opens files that people name, which may be pipes: these are looked at, never waited for."""

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["opened"]

_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Without it, a named pipe that nobody writes to is opened when somebody does, perhaps never; files do not mind it."""


def opened(path: Path) -> BinaryIO:
    """A file to read, whatever it is: the caller says what it takes, by the file's status.

    Raises:
        OSError, ValueError: as `open`.
    """
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | _AT_ONCE))
