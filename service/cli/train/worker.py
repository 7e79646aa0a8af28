"""`latcast worker`: trains what the service is asked to, on this machine."""

import signal
import threading
from typing import Annotated, Any

import typer

from service.cli.options import DatabaseUrlOption, DataDirOption, RayOption
from service.cli.tables import echo

__all__ = ["worker"]


def worker(
    data_dir: DataDirOption = None,
    database_url: DatabaseUrlOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a training that one process does.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of a training, each with one thread.", show_default="1")
    ] = None,
    ray: RayOption = "",
    once: Annotated[bool, typer.Option("--once", help="End when no training waits.")] = False,
) -> None:
    """Train what the service is asked to, one predictor at a time, at a low priority.

    `latcast serve` starts such a worker by itself while a training waits (LATCAST_EMBEDDED_WORKER=false turns that
    off). Over PostgreSQL any number of them may run, on other machines, too: a training whose worker dies goes on
    elsewhere from what it had done. Folds, and the fit on all rows, are done one after the other in one process, in
    several (--workers), or on a Ray cluster (--ray), whose nodes have latcast, too; what comes of them is the same.

    \b
    Examples:
      latcast worker --database-url postgresql://latcast@db.example/latcast \\
        --threads 8
      latcast worker --workers 4
      latcast worker --ray ray://head.example:10001 --once
    """
    from service.db.migrate import upgrade
    from service.db.session import create_engine_for
    from service.operations.logs import configure_logs
    from service.settings import read_settings
    from service.worker.training.worker import work

    options: dict[str, Any] = {"data_dir": data_dir, "database_url": database_url, "training_threads": threads}
    options |= {"training_workers": workers, "ray_address": ray or None}
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
