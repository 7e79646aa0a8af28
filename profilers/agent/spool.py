"""Records on disk until they are safe elsewhere."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from profilers.host.private_files import read_private, write_private

__all__ = ["Spool"]

log = logging.getLogger(__name__)

MOST_BYTES = 2**26
"""Of one file: several times the largest report that a service takes."""


class Spool:
    """One file for each record, written whole or not at all, readable by the owner only.

    Args:
        folder: made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a record; it is on the disk when this returns. The key may be a secret: only its digest is used."""
        write_private(self._path(key), json.dumps(record))

    def drop(self, key: str) -> None:
        """Forget a record; nothing happens where there is none."""
        self._path(key).unlink(missing_ok=True)

    def pending(self) -> Iterator[dict[str, Any]]:
        """All records, oldest first; what is no file with a JSON object of ours is renamed, not deleted."""
        for path in sorted(self._folder.glob("*.json"), key=_written_ns):
            try:
                record = json.loads(read_private(path, most_bytes=MOST_BYTES))
                if not isinstance(record, dict):
                    raise ValueError("it is no JSON object")
            except (OSError, ValueError, RecursionError) as error:
                self._set_aside(path, error.strerror if isinstance(error, OSError) else error)
            else:
                yield record

    def _set_aside(self, path: Path, reason: object) -> None:
        log.warning("%s is broken and set aside: %s", path, reason)
        try:
            path.replace(path.with_suffix(".broken"))
        except OSError as error:
            log.warning("%s stays where it is: %s", path, error)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
