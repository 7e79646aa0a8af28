"""`latcast serve`: the REST service over SQLite or PostgreSQL."""

import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.common import say_what_is_missing
from service.cli.listening import check_port
from service.cli.options import DEFAULT_SERVER, DatabaseUrlOption, DataDirOption
from service.cli.orderly_end import ending_in_order
from service.cli.tables import echo

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.settings import Settings

__all__ = ["serve"]

READER_AFTER_S = 1.0
"""The process that reads models starts when the service answers: it would take its start a core."""


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Without API keys only loopback is allowed.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseUrlOption = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve; one by default.")] = None,
    require_keys: Annotated[
        bool | None, typer.Option("--require-keys/--no-require-keys", help="Ask every caller for an API key.")
    ] = None,
) -> None:
    """Serve the REST API; migrates the database first.

    Every option is also a setting: LATCAST_HOST, LATCAST_PORT, LATCAST_DATA_DIR, LATCAST_DATABASE_URL, … (see
    docs/reference/configuration.md). The interactive API description is at /docs.

    \b
    Examples:
      latcast serve
      latcast serve --data-dir /var/lib/latcast --port 9000
      latcast serve --host 0.0.0.0 --require-keys
    """
    from service.db.migrate import upgrade
    from service.db.session import create_engine_for
    from service.fleet.access import check_bind
    from service.operations.running import RunningService, leave_note
    from service.settings import read_settings

    options: dict[str, Any] = {
        "host": host, "port": port, "data_dir": data_dir, "database_url": database_url,
        "workers": workers, "require_keys": require_keys,
    }  # fmt: skip
    settings = read_settings(**options)
    check_port(settings.host, settings.port)
    engine = create_engine_for(settings)
    say_what_is_missing(engine)
    upgrade(engine)
    check_bind(settings, engine)
    engine.dispose()
    address = address_of(settings.host, settings.port)
    own_url = bool(settings.database_url)
    say_start(address, settings.url, settings.data_dir, keys=settings.require_keys)
    here = RunningService(address=address, data_dir=str(settings.data_dir.absolute()), own_url=own_url)
    with ending_in_order(), leave_note(here):
        _run(settings)


def address_of(host: str, port: int) -> str:
    """Where others reach a service that listens so."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - names it, and binds nothing
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def say_start(address: str, url: str, data_dir: Path, *, keys: bool) -> None:
    """Say where the service is, where it keeps what it knows, and what to do next."""
    from service.db.addresses import database_address

    database = database_address(url)
    file = database.get_backend_name() == "sqlite"
    place = str(data_dir.absolute()) if file else database.render_as_string(hide_password=True)
    server = "" if address == DEFAULT_SERVER else f" --server {address}"
    token = " --token $(latcast keys enrol)" if keys else ""
    echo(f"latcast serves {address} (described at {address}/docs), with its data in {place}.", err=True)
    echo(f"Next: `latcast agent{server}{token}` on a device, then `latcast adapt{server}`.", err=True)


def _run(settings: "Settings") -> None:
    from service.operations.logs import configure_logs
    from service.worker.embedded.supervisor import processes_beside

    configure_logs(settings)
    with processes_beside(settings):
        if settings.workers > 1:
            from service.cli.workers import serve_in_processes

            serve_in_processes(settings)
            return
        _serve_here(settings)


def _serve_here(settings: "Settings") -> None:
    """Serve in this process; agents that call often get one of their own, where the settings allow it."""
    from service.api.door.connections import serve_http
    from service.app import create_app
    from service.cli.agents_process import METRICS, agents_beside

    if not settings.agents_process:
        app = create_app(settings, in_background=False, rehearses=True)
        _ready_reader(app)
        serve_http(app, settings)
        return
    with TemporaryDirectory(prefix="latcast-serve-") as folder, agents_beside(settings, Path(folder)) as hand_over:
        shared = Path(folder)
        app = create_app(settings, in_background=False, rehearses=True, shared=shared, counted_beside=shared / METRICS)
        hand_over.is_agents = app.state.parts.identities.is_agents
        _ready_reader(app)
        serve_http(app, settings, hand_over=hand_over)


def _ready_reader(app: "FastAPI") -> None:
    readying = Timer(READER_AFTER_S, app.state.parts.reader.start_one)
    readying.daemon = True
    readying.start()
