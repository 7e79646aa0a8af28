"""A note that `latcast serve` leaves while it runs, by which `latcast keys` finds its database."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["NOTES", "RunningService", "leave_note", "running_services"]

NOTES = Path("~/.local/state/latcast/services")
"""A file for each service, beside what agents keep there; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """A service of this user.

    Args:
        address: where it listens.
        data_dir: its folder, absolute.
        own_url: its database has an address of its own (`LATCAST_DATABASE_URL`), which is not written down.
    """

    address: str
    data_dir: str
    own_url: bool


@contextmanager
def leave_note(service: RunningService) -> Iterator[None]:
    """Tell where a service runs while this process does, which locks the note: numbers of processes come back.

    Where no note can be written there is none.
    """
    held = None
    with suppress(OSError, RuntimeError):  # the latter where nobody knows a home of this user
        note = NOTES.expanduser() / f"{os.getpid()}.json"
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(note, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(held, 0)
        os.write(held, json.dumps(asdict(service)).encode())
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):
                note.unlink()
            os.close(held)


def running_services() -> list[RunningService]:
    """The services of this user that run now, by address; notes of those that were killed are removed."""
    try:
        notes = sorted(NOTES.expanduser().glob("*.json"))
    except (OSError, RuntimeError):
        return []
    running = [service for note in notes if (service := _read(note)) is not None]
    return sorted(running, key=lambda service: service.address)


def _read(note: Path) -> RunningService | None:
    try:
        with note.open("rb") as file:
            if _is_held(file.fileno()):
                return RunningService(**json.loads(file.read()))
        note.unlink()
    except (OSError, ValueError, TypeError):
        pass
    return None


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
