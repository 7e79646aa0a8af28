"""`latcast import`: public latency tables as targets of the service."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from latcast.schema import InputError
from service.cli.common import console, open_database

if TYPE_CHECKING:
    from predictors.data.importers import Imported, ImportReport
    from profilers.onnx_graph import PreparedModel
    from service.measurements.table_import import Stored
    from service.settings import Settings

__all__ = ["import_table"]

NAMED = 8
"""Devices of a search space that are named; the rest are counted."""
LISTED = 20
"""Skipped things that are named one by one; the rest are counted."""


def import_table(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File or folder.")],
    kind: Annotated[
        str | None, typer.Option(help="help, latbench, nnlqp or table; by what the path holds where left out.")
    ] = None,
    origin: Annotated[
        str, typer.Option(help="Where a CSV or Parquet table is from and its licence; its file's name by default.")
    ] = "",
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the service's database, as for serve.")] = None,
    database_url: Annotated[str | None, typer.Option(help="Address of the service's database, as for serve.")] = None,
) -> None:
    """Import a public latency table: each of its devices becomes a target that `latcast predict` answers for.

    Reads HELP's data folder; LatBench pickles (a file or a folder of them); a folder of ONNX files with NNLQP's
    gt.txt; or a CSV or Parquet file with the columns target, space, text and ms. Works on the database directly, with
    the settings of `latcast serve`, which may be running. All of it is imported or nothing; importing again adds
    what is new.

    \b
    Examples:
      latcast import HELP/data
      latcast import latbench/
      latcast import latencies.csv --origin 'measured by us, CC0'
    """
    from service.measurements.table_import import store

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as progress:
        task = progress.add_task("reading", total=None)

        def tell(done: float, what: str) -> None:
            progress.update(task, completed=done, total=1.0, description=what)

        imported = _read(path, kind, origin, lambda count: progress.update(task, description=f"{count:,} models read"))
        with open_database(data_dir=data_dir, database_url=database_url) as (database, settings):
            stored = store(database, imported, progress=tell)
    _say(imported, stored, settings)


def _read(path: Path, kind: str | None, origin: str, on_model: Callable[[int], None]) -> "Imported":
    from predictors.data.importers import detect_format, read_any
    from profilers.onnx_graph import GraphLoader

    table_kind = kind or detect_format(path)
    if origin and table_kind != "table":
        raise InputError(f"--origin is for CSV and Parquet tables; tables of the kind {table_kind!r} bring their own.")
    loader, models = GraphLoader(), Counter[str]()

    def prepare(model: bytes, batch: int) -> "PreparedModel":
        models["read"] += 1
        on_model(models["read"])
        return loader.prepare(model, batch=batch)

    try:
        imported = read_any(path, kind=table_kind, origin=origin, prepare=prepare)
    finally:
        loader.close()
    if not imported.report.rows:
        raise InputError(f"{path} holds no latency that can be imported. {_first_reason(imported.report)}")
    return imported


def _first_reason(report: "ImportReport") -> str:
    return str(report.skipped[0]) if report.skipped else "It is empty."


def _say(imported: "Imported", stored: "Stored", settings: "Settings") -> None:
    from sqlalchemy import make_url

    report = imported.report
    typer.echo(f"Read {report.source}: {report.rows:,} latencies of {_targets(len(report.targets))}.")
    for line in _by_space(report):
        typer.echo(f"  {line}")
    for item in report.skipped[:LISTED]:
        typer.echo(f"Skipped {item}")
    if len(report.skipped) > LISTED:
        rest = sum(item.rows for item in report.skipped[LISTED:])
        typer.echo(f"Skipped {len(report.skipped) - LISTED} more things ({rest:,} rows).")
    place = make_url(settings.url).render_as_string(hide_password=True)
    typer.echo(_changes(stored) + f" ({place})")


def _targets(count: int) -> str:
    return "1 target" if count == 1 else f"{count:,} targets"


def _by_space(report: "ImportReport") -> list[str]:
    """A line for each search space with its devices."""
    devices: dict[str, list[str]] = {}
    for target in report.targets:
        devices.setdefault(target.options.get("space", ""), []).append(target.device)
    return [
        f"{space}: {', '.join(names[:NAMED])}{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}"
        for space, names in devices.items()
    ]


def _changes(stored: "Stored") -> str:
    if not (stored.added or stored.changed):
        return f"Nothing is new: all {stored.known:,} latencies were there already."
    parts = [f"Added {stored.added:,} latencies and {_targets(stored.targets)}."]
    if stored.changed:
        parts.append(f"{stored.changed:,} latencies differ from what was imported before; the new values count now.")
    if stored.known:
        parts.append(f"{stored.known:,} were there already.")
    return " ".join(parts)
