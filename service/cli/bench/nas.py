"""`latcast bench nas` and `latcast bench report`: every predictor on the published tables by one protocol."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, TimeElapsedColumn

from latcast.schema import InputError, UnknownNameError
from latcast.schema.counting import counted
from service.cli.common import console
from service.cli.options import RayOption, ResultOption, WorkersOption
from service.cli.progress import DESCRIPTION, bar
from service.cli.results import write_json
from service.cli.tables import Column, names, numbers, print_table, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictors.evaluation.journal import Journal
    from predictors.evaluation.nas import Task, Unit

__all__ = ["bench_nas", "bench_report"]


class Protocol(StrEnum):
    """Who sees which rows; see `predictors.evaluation.nas.protocol`."""

    FULL = "full"
    HELP = "help"


class Suite(StrEnum):
    """Tasks of the literature, and devices that are like none of its."""

    NASFLAT = "nasflat"
    HELP = "help"
    ODD = "odd"


DataOption = Annotated[
    Path,
    typer.Option(
        "--data", envvar="LATCAST_DATA", help="Folder with HELP's tables, or one that has help/.", metavar="DIR"
    ),
]


def bench_nas(
    data: DataOption = Path("data"),
    suite: Annotated[
        Suite | None, typer.Option(help="All tasks of the literature, or synthetic devices unlike any (odd).")
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task of the suite; repeatable. [all of it]")] = None,
    space: Annotated[str, typer.Option(help="Search space of the table.")] = "nasbench201",
    sources: Annotated[str, typer.Option(metavar="A,B", help="Devices to learn from; HELP's when left out.")] = "",
    targets: Annotated[str, typer.Option(metavar="C,D", help="Devices to forecast; HELP's when left out.")] = "",
    shots: Annotated[
        list[int] | None, typer.Option(min=1, help="Measurements of a target, references included; repeatable. [20]")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 10,
    trainings: Annotated[
        int | None,
        typer.Option(min=1, help="Trainings that the seeds share. [one each; 2 for help, maple and brp_nas]"),
    ] = None,
    predictor: Annotated[
        list[str] | None, typer.Option(help="KIND, or KIND:NAME=VALUE,…; repeatable. [universal]")
    ] = None,
    sampler: Annotated[
        list[str] | None, typer.Option(help="What chooses the measurements; repeatable. [variance]")
    ] = None,
    protocol: Annotated[
        Protocol | None, typer.Option(help="Who sees which rows. [full; help for the suite help]")
    ] = None,
    source_samples: Annotated[
        int | None, typer.Option(min=20, help="Architectures of each source. [900; 4000 for the suite help's FBNet]")
    ] = None,
    workers: WorkersOption = None,
    ray: RayOption = "",
    json_out: ResultOption = "-",
) -> None:
    """Train on source devices, adapt to targets with a few measurements, and judge the forecasts of all the rest.

    With --json FILE finished parts are kept beside it until the run is complete: the same command goes on where an
    interrupted one stopped.

    \b
    Examples:
      latcast bench nas --data HELP/data --suite nasflat --json nasflat.json
      latcast bench nas --data HELP/data --space fbnet --targets fpga,raspi4 \\
        --shots 10 --predictor lookup_table
    """
    from predictors.evaluation.journal import Journal
    from predictors.evaluation.nas import Contender, assemble, plan, run

    chosen = protocol or (Protocol.HELP if suite is Suite.HELP else Protocol.FULL)
    units = plan(
        _tasks(suite, task or [], space, sources, targets),
        [Contender.parse(text) for text in predictor or ["universal"]],
        samplers=_known_samplers(sampler or ["variance"]),
        shots=shots or [20],
        seeds=seeds,
        trainings=trainings,
        protocol=chosen.value,
        source_samples=source_samples,
    )
    journal = Journal(_partial(json_out))
    _run(partial(run, workers=workers, ray_address=ray), units, data, journal)
    result = assemble(units, journal, suite=suite is not None)
    write_json(result, json_out)
    journal.clear()
    _print_summary(result if isinstance(result, list) else [result])


def bench_report(
    results: Annotated[list[Path], typer.Argument(metavar="JSON", help="What `latcast bench nas --json` wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Markdown file; its figures go beside it.")] = Path(
        "docs/research/benchmarks.md"
    ),
    notes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Markdown that goes between introduction and tables."
        ),
    ] = None,
) -> None:
    """Draw tables and figures out of results."""
    from predictors.evaluation.nas.report import read_results, write_report

    text = notes.read_text(encoding="utf-8") if notes else ""
    written = write_report(read_results(results), out, notes=text)
    say(f"Wrote {out} and {counted(len(written), 'figure')}.", console)


def _tasks(suite: Suite | None, only: "Sequence[str]", space: str, sources: str, targets: str) -> "Sequence[Task]":
    from predictors.evaluation.nas import DEFAULT_SOURCES, DEFAULT_TARGETS, SUITES, Task

    if suite is not None:
        if sources or targets:
            raise InputError("A suite has its own devices: leave --sources and --targets out, or --suite.")
        return _some_of(SUITES[suite.value], only)
    if only:
        raise InputError("--task names tasks of a suite: give --suite too.")
    if space not in DEFAULT_SOURCES and not (sources and targets):
        raise InputError(f"The space {space!r} has no usual devices: name them with --sources and --targets.")
    own_targets = _names(targets) or DEFAULT_TARGETS[space]
    own_sources = _names(sources) or tuple(name for name in DEFAULT_SOURCES[space] if name not in own_targets)
    return [Task(name=space, space=space, sources=own_sources, targets=own_targets)]


def _some_of(tasks: "Sequence[Task]", only: "Sequence[str]") -> "Sequence[Task]":
    by_name = {task.name: task for task in tasks}
    for name in only:
        if name not in by_name:
            raise UnknownNameError("task of the suite", name, list(by_name))
    return [by_name[name] for name in only or by_name]


def _partial(json_out: str) -> Path | None:
    """Where finished parts are kept; a run of hours finds out now that its result has nowhere to go."""
    return None if json_out == "-" else Path(f"{json_out}.partial.jsonl")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _known_samplers(wanted: "Sequence[str]") -> "Sequence[str]":
    from predictors.samplers.base import sampler_names

    for name in wanted:
        if name not in sampler_names():
            raise UnknownNameError("sampler", name, sampler_names())
    return wanted


def _run(run: Any, units: "Sequence[Unit]", data: Path, journal: "Journal") -> None:
    columns = (DESCRIPTION, BarColumn(), "{task.percentage:>3.0f} %", TimeElapsedColumn())
    with bar(console, *columns, transient=False) as shown:
        line = shown.add_task("training", total=1.0)
        run(
            units,
            data,
            journal,
            progress=lambda done, what: shown.update(line, completed=done, description=what),
        )


def _print_summary(results: "Sequence[dict[str, Any]]") -> None:
    headers = ("Spearman", "median APE", "±10 %", "coverage of 90 %")
    columns = [names("predictor"), Column("sampler"), numbers("shots"), Column("task"), *map(numbers, headers)]
    rows = [
        (result["predictor"], result["sampler"], str(result["shots"]), name, *_figures(part["mean"]))
        for result in results
        for name, part in result.get("tasks", {"": result}).items()
    ]
    print_table(columns, rows, out=console)


def _figures(mean: "Mapping[str, Any]") -> tuple[str, ...]:
    spearman = f"{mean['spearman']['mean']:.3f}" if mean["spearman"] else "–"
    return (spearman, *(_share(mean[metric]) for metric in ("median_ape", "within_10", "coverage_90")))


def _share(metric: dict[str, float] | None) -> str:
    return f"{100 * metric['mean']:.1f} %" if metric else "–"
