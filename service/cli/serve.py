"""`latcast serve`: the REST service over SQLite or PostgreSQL."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["serve"]

SHUTDOWN_S = 8
"""How long calls that are under way may take once the service is asked to end; containers are killed after ten."""


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Without API keys only loopback is allowed.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the database and the artifacts; made when missing.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="For example postgresql+psycopg://user:password@host/latcast; SQLite by default.")
    ] = None,
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
    import uvicorn

    from service.app import create_app
    from service.db.migrate import upgrade
    from service.db.session import create_engine_for
    from service.fleet.access import check_bind
    from service.settings import Settings

    options: dict[str, Any] = {
        "host": host, "port": port, "data_dir": data_dir, "database_url": database_url, "require_keys": require_keys,
    }  # fmt: skip
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine_for(settings)
    upgrade(engine)
    check_bind(settings, engine)
    engine.dispose()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=settings.forwarded_allow_ips or None,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
