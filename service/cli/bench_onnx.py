"""`latcast bench onnx`: measure some models, forecast the others, and say how well."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from profilers.schema import InputError, ProfileSettings
from service.cli.common import console, write_json

if TYPE_CHECKING:
    from predictors.benchmark_onnx import Journal, Plan
    from predictors.benchmark_onnx.manifest import Manifest

__all__ = ["bench_onnx"]

DEFAULTS = ProfileSettings()


def bench_onnx(
    manifest: Annotated[
        Path, typer.Option(metavar="FILE", help='JSON lines {"name", "onnx", "feeds", "shapes"}; see the guide.')
    ],
    backend: Annotated[str, typer.Option(help="Runtime to measure.")] = DEFAULTS.backend,
    threads: Annotated[int, typer.Option(min=1, help="Threads within an operator.")] = DEFAULTS.threads,
    precision: Annotated[str, typer.Option(help="What the backend does to the models.")] = DEFAULTS.precision,
    shots: Annotated[int, typer.Option(min=1, help="Models that the predictor is told the latency of.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of the choice.")] = 10,
    predictor: Annotated[
        str | None, typer.Option(help="Kind, name of a shipped artifact, or an artifact's file. [the house predictor]")
    ] = None,
    sampler: Annotated[str, typer.Option(help="What chooses the models that are told.")] = "variance",
    seconds: Annotated[float, typer.Option(min=0.05, help="Timed seconds of each measurement.")] = 1.0,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one process may take.")] = DEFAULTS.timeout_s,
    measurements: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep measurements here, and take from here what is there.")
    ] = None,
    json_out: Annotated[str, typer.Option("--json", metavar="OUT", help="Where to write; - is standard output.")] = "-",
) -> None:
    """Judge forecasts of your own ONNX models: each is measured twice, a few are told, the rest is forecast.

    A model that fails is listed with the reason. An interrupted run goes on where it was when called again.

    \b
    Examples:
      latcast bench onnx --manifest models.jsonl --json result.json
      latcast bench onnx --manifest models.jsonl --measurements kept.jsonl --predictor kernel_sum --sampler random
    """
    from predictors.benchmark_onnx import Journal, Plan, careful_settings, load_base, read_manifest
    from predictors.benchmark_onnx.bases import DEFAULT_PREDICTOR
    from predictors.sampling import get_sampler
    from profilers.environment import describe_device
    from profilers.sandbox import target_for

    listed = read_manifest(manifest)
    get_sampler(sampler)
    settings = careful_settings(
        backend=backend, precision=precision, threads=threads, seconds=seconds, timeout_s=timeout
    )
    device = describe_device()
    target_for(device, settings)
    if len(listed.entries) <= shots:
        raise InputError(
            f"The manifest names {len(listed.entries)} models: {shots} shots leave none to forecast. "
            "Name more models, or ask for fewer --shots."
        )
    plan = Plan(
        device=device,
        settings=settings,
        predictor=load_base(predictor or DEFAULT_PREDICTOR),
        sampler=sampler,
        shots=shots,
        seeds=seeds,
    )
    journal = Journal(measurements or _beside(json_out))
    result = _run(listed, plan, journal)
    write_json(result, json_out)
    if measurements is None:
        journal.clear()
    _show(result, console)


def _beside(json_out: str) -> Path | None:
    return None if json_out == "-" else Path(f"{json_out}.partial.jsonl")


def _run(manifest: "Manifest", plan: "Plan", journal: "Journal") -> dict[str, Any]:
    from predictors.benchmark_onnx import run

    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("[dim]{task.fields[what]}[/dim]"))  # fmt: skip
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int, what: str) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, what="")
            bar.update(tasks[stage], completed=done, what=escape(what) if done < total else "")

        return run(manifest, plan, journal, report)


def _show(result: dict[str, Any], out: Console) -> None:
    out.print(_models(result["models"]))
    for failure in result["failed"]:
        out.print(f"[yellow]{escape(failure['name'])}[/yellow] ({failure['stage']}): {escape(failure['message'])}")
    out.print(_figures(result))


def _models(models: list[dict[str, Any]]) -> Table:
    table = Table(title="measured and forecast", title_justify="left")
    table.add_column("model", overflow="fold")
    for name in ("measured ms", "forecast ms", "error", "90 % interval", "known"):
        table.add_column(name, justify="right", no_wrap=True)
    for model in models:
        measured, forecast, interval = model["measured_ms"], model["forecast_ms"], model["interval_ms"]
        table.add_row(
            escape(model["name"]),
            f"{measured:.3f}",
            f"{forecast:.3f}",
            _error(forecast / measured - 1),
            f"{interval[0]:.3g} – {interval[1]:.3g}" if interval else "no claim",
            f"{model['known_share']:.0%}",
        )
    return table


def _error(error: float) -> str:
    colour = "green" if abs(error) <= 0.1 else "yellow" if abs(error) <= 0.2 else "red"
    return f"[{colour}]{error:+.1%}[/{colour}]"


def _figures(result: dict[str, Any]) -> Table:
    table = Table("models", "median APE", "MAPE", "±10 %", "±20 %", "Spearman", "90 % holds", "repeatability")
    shares = ("median_ape", "mape", "within_10", "within_20", "spearman", "coverage_90", "repeatability")
    cells = [f"{value:.3f}" if name == "spearman" else f"{value:.1%}" if value is not None else "–"
             for name in shares for value in [result[name]]]  # fmt: skip
    table.add_row(str(len(result["models"])), *cells)
    return table
