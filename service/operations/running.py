"""A note that `latcast serve` leaves while it runs, by which `latcast keys` finds its database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from profilers.host.private_folder import is_running

__all__ = ["NOTE", "RunningService", "leave_note", "running_service"]

NOTE = Path("~/.local/state/latcast/service.json")
"""Beside what agents keep there; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """A service of this user.

    Args:
        pid: its process.
        address: where it listens.
        data_dir: its folder, absolute.
        own_url: its database has an address of its own (`LATCAST_DATABASE_URL`), which is not written down.
    """

    pid: int
    address: str
    data_dir: str
    own_url: bool


@contextmanager
def leave_note(service: RunningService) -> Iterator[None]:
    """Tell where a service runs while it does. Where no note can be written there is none."""
    note = NOTE.expanduser()
    with suppress(OSError):
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(json.dumps(asdict(service)), encoding="utf-8")
    try:
        yield
    finally:
        if (there := _read(note)) is not None and there.pid == service.pid:
            with suppress(OSError):
                note.unlink()


def running_service() -> RunningService | None:
    """The service that left the last note, as long as its process lives; None where nobody knows of one."""
    service = _read(NOTE.expanduser())
    return service if service is not None and is_running(service.pid) else None


def _read(note: Path) -> RunningService | None:
    try:
        return RunningService(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
