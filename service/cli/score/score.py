"""`latcast score`: forecasts of any number of architectures, from a file into a file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import console, open_client
from service.cli.options import (
    DEFAULT_SERVER,
    JsonOption,
    KeyOption,
    LevelOption,
    RayOption,
    ServerOption,
    SpaceOption,
    WorkersOption,
)
from service.cli.progress import bar
from service.cli.results import deliver, fail_each, writable
from service.cli.tables import echo

if TYPE_CHECKING:
    import pyarrow as pa

    from predictors.execution import Executor
    from service.cli.score.architectures import ArchitectureList
    from service.cli.score.forecasts import Part, Scored
    from service.cli.score.parts import Parts

__all__ = ["PART_ROWS", "score"]

PART_ROWS = 10_000
"""Rows of a part: what is lost at most, for each process, when a run is killed."""


def score(
    file: Annotated[
        Path,
        typer.Option(
            "--in", metavar="FILE", help="Architectures: .parquet or .csv with a column text, or a text a line."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Parquet file to write.", callback=writable)],
    targets: Annotated[str, typer.Option(metavar="A,B", help="Targets, as --target of other commands takes them.")],
    space: SpaceOption = None,
    level: LevelOption = 0.9,
    workers: WorkersOption = None,
    ray: RayOption = "",
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Forecast any number of architectures on several targets, from a file into a file.

    The service is asked once for the predictor of each target; forecasts are made here, by processes or on a Ray
    cluster, and are the same that `latcast predict` gives, measured latencies included. The result has the columns of
    the list, for each target A the columns A_ms, A_low_ms, A_high_ms and A_source (measured or predicted), and what is
    wrong with a row as error. What is done is kept beside the result: the same command goes on where a killed one
    stopped. Exits with 1 when a row could not be forecast; the others are all the same.

    \b
    Examples:
      latcast score --in archs.parquet --out out.parquet --targets pixel3,fpga
      latcast score --in texts.txt --space nasbench201 --out out.parquet \\
        --targets pixel3 --workers 8
      latcast score --in archs.csv --out out.parquet --targets pixel3 \\
        --ray ray://head.example:10001
    """
    from predictors.execution import open_executor
    from service.cli.score.architectures import open_list
    from service.cli.score.parts import open_parts

    labels = list(dict.fromkeys(name.strip() for name in targets.split(",") if name.strip()))
    if not labels:
        raise typer.BadParameter("Name one target at least.", param_hint="--targets")
    archs = open_list(file, space)
    asked = {"list": archs.digest(), "space": space, "targets": labels, "level": level, "server": server}
    _check_columns(archs, labels)
    with open_parts(out) as parts:
        plan = parts.plan(asked)
        if plan is None:
            _begin(parts, archs, asked, server, key)
            plan = parts.plan(asked)
        with open_executor(workers=workers, ray_address=ray) as executor:
            failed = _score(archs, parts, plan or {}, executor)
        rows = parts.join(out, _count(plan or {}))
    document = {"path": str(out), "rows": rows, "targets": labels, "failed": failed}
    deliver(document, json_out, lambda: _show(document))
    if failed:
        fail_each([(str(out), f"{counted(failed, 'row')} could not be forecast: the column error says why.")])


def _begin(parts: "Parts", archs: "ArchitectureList", asked: dict[str, Any], server: str, key: str | None) -> None:
    from service.cli.score.sources import begin, known_spaces

    rows, spaces = archs.survey()
    if not rows:
        raise InputError(f"The list {str(archs.path)!r} is empty.")
    with open_client(server, key) as client:
        begin(parts, client, asked, rows=rows, spaces=known_spaces(spaces))


def _score(archs: "ArchitectureList", parts: "Parts", plan: dict[str, Any], executor: "Executor") -> int:
    """Make the parts that are not there; the number of rows that could not be forecast, in all parts."""
    from service.cli.score.forecasts import score_part
    from service.cli.score.sources import kept_sources

    waiting: dict[int, pa.Table] = {}
    with bar(console) as progress:
        task = progress.add_task("forecasting", total=plan["rows"])

        def left() -> "Iterator[Part]":
            for number, table in enumerate(archs.parts(PART_ROWS)):
                if parts.done(number):
                    progress.update(task, advance=len(table))
                else:
                    waiting[number] = table
                    yield _part(archs, number, table)

        with closing(executor.completed(score_part, kept_sources(parts, plan), left())) as completed:
            for scored in completed:
                table = waiting.pop(scored.number)
                parts.keep(scored.number, _with_columns(table, scored))
                progress.update(task, advance=len(table))
    return sum(parts.failed(number) for number in range(_count(plan)))


def _part(archs: "ArchitectureList", number: int, table: "pa.Table") -> "Part":
    from service.cli.score.forecasts import Part

    return Part(number=number, texts=archs.texts(table), spaces=archs.spaces(table))


def _with_columns(table: "pa.Table", scored: "Scored") -> "pa.Table":
    import pyarrow as pa

    for label, answers in scored.columns.items():
        for place, name in enumerate(("ms", "low_ms", "high_ms")):
            values = pa.array(answers.times_ms[:, place], pa.float64(), from_pandas=True)
            table = table.append_column(f"{label}_{name}", values)
        source = [
            None if error else "measured" if measured else "predicted"
            for error, measured in zip(scored.errors, answers.measured, strict=True)
        ]
        table = table.append_column(f"{label}_source", pa.array(source, pa.string()))
    return table.append_column("error", pa.array(scored.errors, pa.string()))


def _check_columns(archs: "ArchitectureList", labels: list[str]) -> None:
    made = {"error", *(f"{label}_{name}" for label in labels for name in ("ms", "low_ms", "high_ms", "source"))}
    if taken := sorted(made & set(archs.schema.names)):
        raise InputError(f"{archs.path} has columns that the result is to have: {', '.join(taken)}. Rename them.")


def _count(plan: dict[str, Any]) -> int:
    """The number of parts."""
    return -(-int(plan["rows"]) // PART_ROWS)


def _show(document: dict[str, Any]) -> None:
    echo(f"Wrote {document['path']}: {counted(document['rows'], 'row')}, {', '.join(document['targets'])}.")
