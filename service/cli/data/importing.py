"""`latcast import`: public latency tables as targets of the service."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, TimeElapsedColumn

from latcast.onnx_files import read_model
from latcast.schema import InputError, to_plain
from latcast.schema.counting import counted
from service.cli import own_database
from service.cli.common import console, open_database, parse_pairs
from service.cli.options import DatabaseUrlOption, DataDirOption, DimOption, JsonOption, ShapeOption
from service.cli.progress import DESCRIPTION, bar
from service.cli.results import deliver
from service.cli.shapes import Sizes, parse_sizes
from service.cli.tables import output, say

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
        str | None, typer.Option(help="help, latbench, nnlqp, table or models; by what the path holds where left out.")
    ] = None,
    origin: Annotated[
        str, typer.Option(help="Where a CSV or Parquet table is from and its licence; its file's name by default.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT=NAME", help="Name of a column of the table: target=, space=, text=, onnx= or ms=."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of latencies that name none: ns, us, ms or s; ms where left out.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device of all rows of a table without such a column, or of a tool's output.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Search space of all rows of a table without such a column.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            help="Order of the indices by which a table names cells of NAS-Bench-201 (403143): nasbench201, as HELP "
            "and HW-NAS-Bench have it, too, or naslib."
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="ONNX model whose latency PATH, the output of a benchmarking tool, states.")
    ] = None,
    shape: ShapeOption = None,
    dim: DimOption = None,
    data_dir: DataDirOption = None,
    database_url: DatabaseUrlOption = None,
    json_out: JsonOption = None,
) -> None:
    """Import latencies that others measured: each of their devices becomes a target that `latcast predict` answers for.

    Reads HELP's data folder; LatBench pickles (a file or a folder of them); a folder of ONNX files with NNLQP's
    gt.txt; a CSV or Parquet file with the columns target, space, text and ms, or with target, onnx (a path beside the
    table) and ms; or, with --model and --device, the output of onnxruntime_perf_test, trtexec (its log or
    --exportTimes), TensorFlow Lite's benchmark_model or OpenVINO's benchmark_app. Works on the database directly: that
    of the running service, where the settings name none. All of it is imported or nothing; importing again adds what
    is new.

    \b
    Examples:
      latcast import HELP/data
      latcast import latbench/
      latcast import latencies.csv --origin 'measured by us, CC0'
      latcast import models.csv --device 'Pixel 8'
      latcast import pixel.csv --device 'Pixel 8' --space fbnet \\
        --column text=arch --unit s
      latcast import cells.csv --device pixel3 --space nasbench201 \\
        --column text=op_indices --order naslib
      latcast import times.json --model net.onnx --device 'Jetson Orin, fp16' \\
        --dim batch=1
    """
    from service.measurements.table_import import store

    folder = own_database.data_dir() if data_dir is None and database_url is None else None
    fixed = {name: value for name, value in (("target", device), ("space", space)) if value is not None}
    table = {"columns": parse_pairs(column or [], "--column"), "fixed": fixed, "unit": unit, "order": order}
    with bar(console, DESCRIPTION, BarColumn(), TimeElapsedColumn()) as progress:
        task = progress.add_task("reading", total=None)

        def tell(done: float, what: str) -> None:
            progress.update(task, completed=done, total=1.0, description=what)

        if model is not None:
            imported = _read_tool_report(path, model, device or "", parse_sizes(shape, dim))
        else:
            imported = _read(
                path,
                kind,
                origin,
                table,
                lambda count: progress.update(task, description=f"{counted(count, 'model')} read"),
            )
        with open_database(data_dir=data_dir or folder, database_url=database_url) as (database, settings):
            stored = store(database, imported, progress=tell)
    deliver(_document(imported.report, stored, settings), json_out, lambda: _say(imported, stored, settings))


def _document(report: "ImportReport", stored: "Stored", settings: "Settings") -> dict[str, Any]:
    """What was read, what was left out, and what that changed."""
    from service.db.addresses import shown_address

    targets = [
        {"id": target.id, "device": target.device, "label": target.label, "space": target.options.get("space")}
        for target in report.targets
    ]
    read = {"source": report.source, "rows": report.rows, "targets": targets}
    left_out = {"skipped": [to_plain(item) for item in report.skipped], "remarks": list(report.remarks)}
    return {**read, **left_out, "stored": to_plain(stored), "database": shown_address(settings.url)}


def _read_tool_report(path: Path, model: Path, device: str, sizes: Sizes) -> "Imported":
    from predictors.data.importers import import_tool_report
    from profilers.onnx_graph import GraphLoader

    content = read_model(model)
    loader = GraphLoader()
    try:
        return import_tool_report(
            path,
            device=device,
            model=content,
            prepare=lambda onnx: loader.prepare(onnx, shapes=sizes.shapes or None, dims=sizes.dims or None),
        )
    finally:
        loader.close()


def _read(
    path: Path, kind: str | None, origin: str, table: dict[str, Any], on_model: Callable[[int], None]
) -> "Imported":
    from predictors.data.importers import detect_format, read_any
    from profilers.onnx_graph import GraphLoader

    table_kind = kind or detect_format(path, columns=table["columns"])
    if table_kind != "table" and table.pop("order") is not None:
        raise InputError("--order is for tables of architectures: other kinds name no cells by indices of their own.")
    if table_kind not in ("table", "models") and (origin or any(table.values())):
        raise InputError(
            "--origin, --column, --unit, --device and --space are for CSV and Parquet tables; tables of the kind "
            f"{table_kind!r} bring their own."
        )
    loader, models = GraphLoader(), Counter[str]()

    def prepare(model: bytes, batch: int | None) -> "PreparedModel":
        models["read"] += 1
        on_model(models["read"])
        return loader.prepare(model, batch=batch)

    try:
        imported = read_any(path, kind=table_kind, origin=origin, prepare=prepare, **table)
    finally:
        loader.close()
    if not imported.report.rows:
        raise InputError(f"{path} holds no latency that can be imported. {_first_reason(imported.report)}")
    return imported


def _first_reason(report: "ImportReport") -> str:
    return str(report.skipped[0]) if report.skipped else "It is empty."


def _say(imported: "Imported", stored: "Stored", settings: "Settings") -> None:
    from service.db.addresses import shown_address

    report, out = imported.report, output()
    say(f"Read {report.source}: {counted(report.rows, 'latency')} of {counted(len(report.targets), 'target')}.", out)
    for line in _by_space(report):
        say(f"  {line}", out)
    for item in report.skipped[:LISTED]:
        say(f"Skipped {item}", out)
    if len(report.skipped) > LISTED:
        rest = sum(item.rows for item in report.skipped[LISTED:])
        say(f"Skipped {counted(len(report.skipped) - LISTED, 'more thing')} ({counted(rest, 'row')}).", out)
    for remark in report.remarks:
        say(f"Note: {remark}", out)
    say(_changes(stored) + f" ({shown_address(settings.url)})", out)


def _by_space(report: "ImportReport") -> list[str]:
    """A line for each search space with its devices."""
    devices: dict[str, list[str]] = {}
    for target in report.targets:
        options = {name: value for name, value in target.options.items() if name not in ("space", "batch")}
        extra = f" ({', '.join(f'{name} {value}' for name, value in options.items())})" if options else ""
        devices.setdefault(target.options.get("space", "models"), []).append(f"{target.device}{extra}")
    return [
        f"{space}: {', '.join(names[:NAMED])}{f' and {len(names) - NAMED:,} more' if len(names) > NAMED else ''}"
        for space, names in devices.items()
    ]


def _changes(stored: "Stored") -> str:
    if not (stored.added or stored.changed):
        return f"Nothing is new: {counted(stored.known, 'latency was', 'latencies were')} there already."
    parts = [f"Added {counted(stored.added, 'latency')} and {counted(stored.targets, 'target')}."]
    if stored.changed:
        parts.append(
            f"{counted(stored.changed, 'latency differs', 'latencies differ')} from what was imported before; "
            "the new values count now."
        )
    if stored.known:
        parts.append(f"{counted(stored.known, 'was', 'were')} there already.")
    return " ".join(parts)
