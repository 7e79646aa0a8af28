"""Brings a database to the newest revision, from a source tree or from an installed package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from latcast.errors import UnavailableError
from latcast.schema import InputError
from service.db.database_file import give_name
from service.db.failures import DATABASE_AWAY, cause_of
from service.db.statements import lock_until_commit

__all__ = ["current_revision", "head_revision", "is_known", "newer_database", "require_own", "upgrade"]

ADVISORY_LOCK = 0x1A7CA57
"""Key of the PostgreSQL lock that keeps two starting processes from migrating at once."""


def migrations_dir() -> Path:
    """Folder of the migrations: inside the installed package, else beside it in the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply every migration up to `revision`; a database that is there already is left as it is.

    Raises:
        UnavailableError: the database cannot be reached, read or written.
        InputError: it was made by a newer latcast, or by another program; nothing is changed.
    """
    try:
        with engine.begin() as connection:
            lock_until_commit(connection, ADVISORY_LOCK)
            require_own(connection)
            command.upgrade(_config(connection), revision)
            give_name(connection)
        _write_back(engine)
    except DATABASE_AWAY as error:
        address = engine.url.render_as_string(hide_password=True)
        raise UnavailableError(f"{cause_of(error).sentence} It is {address}. {_first_line(error)}") from error


def _write_back(engine: Engine) -> None:
    """Let SQLite write its log into the file as far as nobody reads it: only there is the database's mark seen."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")


def _first_line(error: Exception) -> str:
    return f"The driver says: {(str(getattr(error, 'orig', error)).splitlines() or [''])[0]}"


def require_own(connection: Connection) -> None:
    """Make sure that this version made the database's tables, or can migrate them.

    Raises:
        InputError: it was made by a newer latcast, or by another program.
    """
    revision = current_revision(connection)
    if revision is not None and not is_known(revision):
        raise InputError(newer_database(revision))
    if revision is None and (names := inspect(connection).get_table_names()):
        raise InputError(
            f"The database holds tables of another program ({', '.join(sorted(names)[:5])}), which stay as they were: "
            "give latcast a database of its own."
        )


def is_known(revision: str) -> bool:
    """Whether this code has a migration of that name."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}


def newer_database(revision: str) -> str:
    """What to say of a database at a revision that this code does not know."""
    return (
        f"The database was made by a newer latcast (revision {revision}; this version knows {head_revision()}): "
        "upgrade latcast, or use a copy of the database from before. Nothing was changed."
    )


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
