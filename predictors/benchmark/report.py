"""Results as a page of tables and figures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictors.benchmark.plots import bars, lines
from profilers.schema import InputError

__all__ = ["Result", "read_results", "write_report"]

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "ND": {"HELP": 0.948, "MultiPredict": 0.930, "NASFLAT": 0.959},
    "FD": {"HELP": 0.910, "MultiPredict": 0.960, "NASFLAT": 0.961},
    "F1": {"HELP": 0.793, "MultiPredict": 0.756, "NASFLAT": 0.809},
    "F2": {"HELP": 0.543, "MultiPredict": 0.567, "NASFLAT": 0.871},
    "F3": {"HELP": 0.413, "MultiPredict": 0.434, "NASFLAT": 0.814},
    "F4": {"HELP": 0.799, "MultiPredict": 0.763, "NASFLAT": 0.734},
    "FA": {"HELP": 0.370, "MultiPredict": 0.450, "NASFLAT": 0.577},
}
"""Spearman with 20 samples, as the NASFLAT repository lists them."""

_INTRODUCTION = """# Benchmarks

Drawn by `latcast bench report` out of what `latcast bench nas --json` wrote. A predictor learns from the source devices
of a task and is adapted to each target with a few measurements; it is judged on every architecture that was not
measured, none trimmed, unless a task says otherwise. Reference architectures count as measurements. Figures are means
over targets, then over seeds, with the standard deviation over seeds; devices and protocol are in
`predictors/benchmark/`. The published rows are the papers' own.
"""

_COLUMNS = (
    ("spearman", "Spearman", "number"), ("median_ape", "median APE", "share"), ("mape", "MAPE", "share"),
    ("within_5", "within ±5 %", "share"), ("within_10", "within ±10 %", "share"),
    ("coverage_90", "coverage of 90 % intervals", "share"), ("interval_width_90", "their width / median", "number"),
    ("adapt_ms", "adapt (ms)", "count"), ("predict_per_s", "forecasts per s", "count"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of one predictor on one task.

    Args:
        task: its name; empty where the run had one task of its own.
        predictor: with hyperparameters.
        sampler: name.
        shots: measurements.
        targets: device → metric → {"mean", "std"} or None.
        mean: metric → the same.
    """

    task: str
    predictor: str
    sampler: str
    shots: int
    targets: Mapping[str, Mapping[str, Any]]
    mean: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Predictor, sampler."""
        return f"{self.predictor}, {self.sampler}"


def read_results(paths: Sequence[Path]) -> list[Result]:
    """All results in files of `latcast bench nas --json`.

    Raises:
        InputError: a file is not one; the message names it.
    """
    found: list[Result] = []
    for path in paths:
        try:
            found += _results(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} was not written by `latcast bench nas --json`.") from error
    return found


def write_report(results: Sequence[Result], out: Path) -> list[Path]:
    """Write the page and its figures.

    Args:
        results: of any tasks.
        out: the page; figures go to a folder beside it that is named like it.

    Returns:
        The figures' paths.

    Raises:
        InputError: there are no results.
    """
    if not results:
        raise InputError("There are no results to report.")
    folder = out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    parts, figures = [_INTRODUCTION, *_overview(results)], list[Path]()
    for task in dict.fromkeys(result.task for result in results):
        part = [result for result in results if result.task == task]
        parts += [f"## {task or 'Task'}\n", _figures_table(part)]
        for name, drawing in _drawings(task or "task", part):
            path = folder / f"{name}.svg"
            path.write_text(drawing, encoding="utf-8")
            figures.append(path)
            parts.append(f"![{name.replace('_', ' ')}]({folder.name}/{path.name})\n")
    out.write_text("\n".join(parts), encoding="utf-8")
    return figures


def _results(document: Any) -> Iterator[Result]:
    for item in document if isinstance(document, list) else [document]:
        for task, part in item.get("tasks", {"": item}).items():
            yield Result(
                task=task,
                predictor=part["predictor"],
                sampler=part["sampler"],
                shots=int(part["shots"]),
                targets=dict(part["targets"]),
                mean=dict(part["mean"]),
            )


def _overview(results: Sequence[Result]) -> list[str]:
    """Spearman of every predictor on the tasks that the literature shares."""
    tasks = [task for task in PUBLISHED if any(result.task == task for result in results)]
    if not tasks:
        return []
    rows = [
        ["published, 20 samples: " + name, *(f"{PUBLISHED[t][name]:.3f}" for t in tasks)] for name in PUBLISHED["ND"]
    ]
    for head in dict.fromkeys((result.label, result.shots) for result in results if result.task in tasks):
        known = {result.task: result.mean["spearman"] for result in results if (result.label, result.shots) == head}
        rows.append([f"{head[0]}, {head[1]} samples", *(_cell(known.get(task), "number") for task in tasks)])
    return ["## Spearman on the tasks of NASFLAT\n", _markdown(["", *tasks], rows)]


def _figures_table(results: Sequence[Result]) -> str:
    rows = [
        [result.label, str(result.shots), *(_cell(result.mean.get(name), kind) for name, _, kind in _COLUMNS)]
        for result in results
    ]
    return _markdown(["predictor, sampler", "samples", *(title for _, title, _ in _COLUMNS)], rows)


def _drawings(task: str, results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    shots = sorted({result.shots for result in results})
    usual = 20 if 20 in shots else shots[-1]
    chosen = [result for result in results if result.shots == usual]
    errors = _by_device(chosen, "median_ape")
    if errors:
        yield f"{task}_error", bars(f"{task}: median APE by device, {usual} samples", "%", errors)
    coverage = _by_device(chosen, "coverage_90")
    if coverage:
        title = f"{task}: how much the 90 % intervals hold, {usual} samples"
        yield f"{task}_calibration", bars(title, "%", coverage, reference=90.0)
    if len(shots) > 1:
        series: dict[str, list[tuple[float, float]]] = {}
        for result in results:
            if result.mean.get("spearman"):
                series.setdefault(result.label, []).append((result.shots, result.mean["spearman"]["mean"]))
        yield f"{task}_shots", lines(f"{task}: Spearman against samples", "Spearman", "samples", series)


def _by_device(results: Sequence[Result], metric: str) -> dict[str, dict[str, float]]:
    """Device → predictor → percent."""
    found: dict[str, dict[str, float]] = {}
    for result in results:
        for device, figures in result.targets.items():
            if figures.get(metric):
                found.setdefault(device, {})[result.label] = 100 * figures[metric]["mean"]
    return found


def _cell(metric: Mapping[str, float] | None, kind: str) -> str:
    if metric is None:
        return "–"
    if kind == "share":
        return f"{100 * metric['mean']:.1f} ± {100 * metric['std']:.1f} %"
    if kind == "count":
        return f"{metric['mean']:,.0f}"
    return f"{metric['mean']:.3f} ± {metric['std']:.3f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines_ = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines_) + "\n"
