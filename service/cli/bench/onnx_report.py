"""The tables that `latcast bench onnx` prints at its end."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from service.cli.common import WORTH_SAYING
from service.cli.remarks import say_remarks
from service.cli.tables import Cell, names, numbers, print_table, say
from service.cli.units import between, milliseconds

__all__ = ["failures_of", "print_holdouts", "print_result"]

FIGURES = {
    "median_ape": "median APE",
    "mape": "MAPE",
    "within_10": "±10 %",
    "within_20": "±20 %",
    "spearman": "Spearman",
    "coverage_90": "90 % holds",
    "repeatability": "repeated",
}


def print_result(result: Mapping[str, Any], out: Console) -> None:
    """Print each forecast beside its measurement, and the figures over all models that were measured."""
    _print_models(result["models"], out)
    say_remarks([(model["name"], _as_given(model)) for model in result["models"]], out)
    _print_figures({"": result}, "models", out)
    if abs(drift := result.get("host_drift") or 0.0) > WORTH_SAYING:
        say(
            f"The host was {abs(drift):.0%} {'slower' if drift > 0 else 'faster'} in the second measurements, by the "
            "sentinel beside each; all are stated at one speed.",
            out,
        )


def failures_of(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The name of each model that could not be measured, and why."""
    return [(failure["name"], f"{failure['message']} (stage: {failure['stage']})") for failure in result["failed"]]


def print_holdouts(results: Mapping[str, Mapping[str, Any]], out: Console) -> None:
    """Print the figures of each held-out part."""
    _print_figures(results, "forecasts", out)


def _print_models(models: Sequence[Mapping[str, Any]], out: Console) -> None:
    headers = ("measured ms", "forecast ms", "error", "90 % interval", "known")
    rows = [(model["name"], *_forecast(model)) for model in models]
    print_table([names("model"), *map(numbers, headers)], rows, out=out, title="measured and forecast")


def _forecast(model: Mapping[str, Any]) -> tuple[Cell, ...]:
    measured, forecast, interval = model["measured_ms"], model["forecast_ms"], model["interval_ms"]
    return (
        milliseconds(measured),
        milliseconds(forecast),
        _error(forecast / measured - 1),
        between(*interval) if interval else "no claim",
        f"{model['known_share']:.0%}",
    )


def _as_given(model: Mapping[str, Any]) -> tuple[str, ...]:
    """What is said of a model that does not compute in fp32, beside a target that is named by its precision."""
    precision = model.get("precision") or "fp32"
    return () if precision == "fp32" else (f"The file is of {precision}, whatever the target's name says.",)


def _error(error: float) -> Text:
    colour = "green" if abs(error) <= 0.1 else "yellow" if abs(error) <= 0.2 else "red"
    return Text(f"{error:+.1%}", style=colour)


def _print_figures(results: Mapping[str, Mapping[str, Any]], counted: str, out: Console) -> None:
    """Print a row of figures for each part; the only part of a result has no name."""
    named = list(results) != [""]
    rows = [
        (*([part] if named else []), f"{len(result['models']):,}", *(_figure(key, result[key]) for key in FIGURES))
        for part, result in results.items()
    ]
    columns = [*([names("held out")] if named else []), *map(numbers, (counted, *FIGURES.values()))]
    print_table(columns, rows, out=out)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if name == "spearman" else f"{value:.1%}"
