"""Brings a database to the newest revision, from a source tree or from an installed package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from service.db.statements import lock_until_commit

__all__ = ["current_revision", "head_revision", "upgrade"]

ADVISORY_LOCK = 0x1A7CA57
"""Key of the PostgreSQL lock that keeps two starting processes from migrating at once."""


def migrations_dir() -> Path:
    """Folder of the migrations: inside the installed package, else beside it in the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply every migration up to `revision`; a database that is there already is left as it is."""
    with engine.begin() as connection:
        lock_until_commit(connection, ADVISORY_LOCK)
        command.upgrade(_config(connection), revision)


def head_revision() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
