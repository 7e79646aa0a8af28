"""What `latcast bench onnx` prints at its end."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.common import WORTH_SAYING

__all__ = ["print_holdouts", "print_result"]

FIGURES = {
    "median_ape": "median APE",
    "mape": "MAPE",
    "within_10": "±10 %",
    "within_20": "±20 %",
    "spearman": "Spearman",
    "coverage_90": "90 % holds",
    "repeatability": "repeatability",
}


def print_result(result: Mapping[str, Any], out: Console) -> None:
    """Each forecast beside the truth, failures, and the figures over all models."""
    out.print(_models(result["models"]))
    for failure in result["failed"]:
        out.print(f"[yellow]{escape(failure['name'])}[/yellow] ({failure['stage']}): {escape(failure['message'])}")
    out.print(_figures({"": result}, "models"))
    if abs(drift := result.get("host_drift") or 0.0) > WORTH_SAYING:
        out.print(
            f"The host was {abs(drift):.0%} {'slower' if drift > 0 else 'faster'} in the second measurements, by the "
            "sentinel beside each; all are stated at one speed."
        )


def print_holdouts(results: Mapping[str, Mapping[str, Any]], out: Console) -> None:
    """The figures of each held-out part."""
    out.print(_figures(results, "forecasts"))


def _models(models: list[Mapping[str, Any]]) -> Table:
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


def _figures(results: Mapping[str, Mapping[str, Any]], counted: str) -> Table:
    table = Table(*(["held out"] if list(results) != [""] else []), counted, *FIGURES.values())
    for name, result in results.items():
        cells = [_figure(figure, result[figure]) for figure in FIGURES]
        table.add_row(*([escape(name)] if name else []), str(len(result["models"])), *cells)
    return table


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if name == "spearman" else f"{value:.1%}"
