"""`latcast worker`: trains what the service is asked to, on this machine."""

import signal
import threading
from typing import Annotated, Any

import typer

from service.cli.options import DatabaseUrlOption, DataDirOption
from service.cli.tables import echo

__all__ = ["worker"]


def worker(
    data_dir: DataDirOption = None,
    database_url: DatabaseUrlOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a training.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End when no training waits.")] = False,
) -> None:
    """Train what the service is asked to, one predictor at a time, at a low priority.

    `latcast serve` starts such a worker by itself while a training waits (LATCAST_EMBEDDED_WORKER=false turns that
    off). Over PostgreSQL any number of them may run, on other machines, too: a training whose worker dies goes on
    elsewhere from what it had done.

    \b
    Examples:
      latcast worker --database-url postgresql://latcast@db.example/latcast \\
        --threads 8
      latcast worker --once
    """
    from service.db.migrate import upgrade
    from service.db.session import create_engine_for
    from service.operations.logs import configure_logs
    from service.settings import read_settings
    from service.worker.training.worker import work

    options: dict[str, Any] = {"data_dir": data_dir, "database_url": database_url, "training_threads": threads}
    settings = read_settings(**options)
    configure_logs(settings)
    engine = create_engine_for(settings)
    upgrade(engine)
    engine.dispose()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    echo("Waits for trainings (latcast train).", err=True)
    work(settings, stop, once=once)
