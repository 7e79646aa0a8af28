"""Which database a command that works without the service means: the configured one, else the running service's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from latcast.schema import InputError
from service.cli.tables import echo

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["data_dir", "open_engine"]


@contextmanager
def open_engine() -> "Iterator[Engine]":
    """An engine for that database, whatever its revision; closed at the end.

    Raises:
        InputError: settings or an address that cannot be used.
        UnavailableError: the database cannot be reached, read or written.
    """
    from latcast.errors import UnavailableError
    from service.db.failures import DATABASE_AWAY, cause_of
    from service.db.session import create_engine_for
    from service.settings import read_settings

    engine = create_engine_for(read_settings(data_dir=data_dir()))
    try:
        yield engine
    except DATABASE_AWAY as error:
        raise UnavailableError(cause_of(error).sentence) from error
    finally:
        engine.dispose()


def data_dir() -> Path | None:
    """The folder of the running service's database, where the settings name none; says which it is, or is not.

    Raises:
        InputError: the running service's database has an address that only its settings know, or several services run.
    """
    from service.operations.running import running_services
    from service.settings import read_settings

    settings = read_settings()
    if settings.model_fields_set & {"data_dir", "database_url"}:
        return None
    services = running_services()
    if len(services) > 1:
        listed = ", ".join(f"{one.address} ({one.data_dir})" for one in services)
        raise InputError(f"Several services run here: {listed}. Set LATCAST_DATA_DIR to the folder of the one that is "
                         "meant, or LATCAST_DATABASE_URL as it was set for it.")  # fmt: skip
    for running in services:
        if running.own_url:
            raise InputError(f"The service at {running.address} has a database of its own: set LATCAST_DATABASE_URL as "
                             "it was set for `latcast serve`.")  # fmt: skip
        echo(f"Works on {running.data_dir}, the database of the service at {running.address}.", err=True)
        return Path(running.data_dir)
    there = "Works on" if (settings.data_dir / "latcast.db").exists() else "Makes a new database in"
    echo(
        f"{there} {settings.data_dir.absolute()}: no running service was found that has another. Set LATCAST_DATA_DIR "
        "for the folder of `latcast serve`.",
        err=True,
    )
    return None
