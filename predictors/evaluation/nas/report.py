"""The report of a benchmark: a page of tables and charts in Markdown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.evaluation.plots import bars, lines

__all__ = ["Result", "read_results", "write_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """Published figures on the tasks of a suite.

    Args:
        title: title of the table.
        rows: label of a method → task → mean Spearman over the task's targets.
    """

    title: str
    rows: Mapping[str, Mapping[str, float]]

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order of the papers."""
        return list(dict.fromkeys(task for figures in self.rows.values() for task in figures))


_NASFLAT_TASKS = ("ND", "FD", "F1", "F2", "F3", "F4", "FA")

PUBLISHED = (
    _Published(
        title="Spearman on the tasks of NASFLAT",
        rows={
            f"published: {name}, 20 samples": dict(zip(_NASFLAT_TASKS, figures, strict=True))
            for name, figures in {
                "HELP": (0.948, 0.910, 0.793, 0.543, 0.413, 0.799, 0.370),
                "MultiPredict": (0.930, 0.960, 0.756, 0.567, 0.434, 0.763, 0.450),
                "NASFLAT": (0.959, 0.961, 0.809, 0.871, 0.814, 0.734, 0.577),
            }.items()
        },
    ),
    _Published(
        title="Spearman on HELP's tables, in its protocol",
        rows={
            "published: FLOPs": {"nasbench201": 0.787},
            "published: BRP-NAS, 900 samples": {"nasbench201": 0.789},
            "published: HELP, 20 samples": {"nasbench201": 0.932, "fbnet": 0.907},
            "HELP's released checkpoint, run again over five seeds": {"nasbench201": 0.920},
        },
    ),
)
"""Figures of the NASFLAT repository (https://github.com/abdelfattah-lab/nasflat_latency) and of HELP (Lee et al.,
NeurIPS 2021, tables 2 and 3; the mean of FBNet is over its three devices)."""

_PUBLISHED_SHOTS = 20
"""Number of measurements in the published figures."""

_INTRODUCTION = """# Benchmarks

Drawn by `latcast bench report` out of what `latcast bench nas --json` wrote. A predictor learns from the source devices
of a task and is adapted to each target with a few measurements; it is judged on every architecture that was not
measured, none trimmed, unless a task says otherwise. Reference architectures count as measurements. Figures are means
over targets, then over seeds, with the standard deviation over seeds; devices and protocol are in
`predictors/evaluation/nas/`. The published rows are the papers' own.
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
        task: name of the task; empty where the run belongs to no suite.
        predictor: kind of the predictor, with hyperparameters.
        sampler: name of the sampler.
        shots: number of measurements.
        targets: device → metric → {"mean", "std"}, or None where the predictor has no such figure.
        mean: metric → the same over the targets.
    """

    task: str
    predictor: str
    sampler: str
    shots: int
    targets: Mapping[str, Mapping[str, Any]]
    mean: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Predictor and sampler, for tables and legends."""
        return f"{self.predictor}, {self.sampler}"


def read_results(paths: Sequence[Path]) -> list[Result]:
    """All results in files of `latcast bench nas --json`.

    Raises:
        InputError: a file cannot be read or is no such file; the message names it.
    """
    results: list[Result] = []
    for path in paths:
        try:
            results += _results(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} was not written by `latcast bench nas --json`.") from error
    return results


def write_report(results: Sequence[Result], out: Path, *, notes: str = "") -> list[Path]:
    """Write the page and its charts.

    Args:
        results: results of any tasks.
        out: path of the page; charts go to a folder beside it that is named like it.
        notes: Markdown that is put after the introduction.

    Returns:
        The paths of the charts.

    Raises:
        InputError: there are no results.
    """
    if not results:
        raise InputError("There are no results to report.")
    folder = out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    parts, figures = [_INTRODUCTION, notes, *_overviews(results)], list[Path]()
    for task in dict.fromkeys(result.task for result in results):
        part = [result for result in results if result.task == task]
        parts += [f"## {task or 'Task'}\n", _figures_table(part)]
        for name, drawing in _drawings(task or "task", part):
            path = folder / f"{name}.svg"
            path.write_text(drawing, encoding="utf-8")
            figures.append(path)
            parts.append(f"![{name.replace('_', ' ')}]({folder.name}/{path.name})\n")
    out.write_text("\n".join(part for part in parts if part), encoding="utf-8")
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


def _overviews(results: Sequence[Result]) -> Iterator[str]:
    """For each published suite, Spearman of every predictor by task, and the coverage of those that give intervals."""
    for published in PUBLISHED:
        part = [result for result in results if result.task in published.tasks]
        if not part:
            continue
        tasks = [task for task in published.tasks if any(result.task == task for result in part)]
        rows = [
            [name, *(f"{figures[task]:.3f}" if task in figures else "–" for task in tasks)]
            for name, figures in published.rows.items()
        ]
        yield f"## {published.title}\n"
        yield _markdown(["", *tasks], rows + _by_task(part, tasks, "spearman", "number"))
        claimed = [result for result in part if result.mean.get("coverage_90")]
        if claimed:
            yield "How many of the latencies lie in the 90 % intervals of those that give intervals:\n"
            yield _markdown(["", *tasks], _by_task(claimed, tasks, "coverage_90", "share"))


def _by_task(results: Sequence[Result], tasks: Sequence[str], metric: str, kind: str) -> list[list[str]]:
    """A row for each combination of predictor, sampler and shots; those with the papers' number of shots come first."""
    rows = []
    heads = dict.fromkeys((result.label, result.shots) for result in results)
    for label, shots in sorted(heads, key=lambda head: (head[1] != _PUBLISHED_SHOTS, head[1])):
        figures = {
            result.task: result.mean[metric] for result in results if (result.label, result.shots) == (label, shots)
        }
        rows.append([f"{label}, {counted(shots, 'sample')}", *(_cell(figures.get(task), kind) for task in tasks)])
    return rows


def _figures_table(results: Sequence[Result]) -> str:
    rows = [
        [result.label, str(result.shots), *(_cell(result.mean.get(name), kind) for name, _, kind in _COLUMNS)]
        for result in results
    ]
    return _markdown(["predictor, sampler", "samples", *(title for _, title, _ in _COLUMNS)], rows)


def _drawings(task: str, results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    drawn = _drawn(results)
    shots = sorted({result.shots for result in drawn})
    compared = _PUBLISHED_SHOTS if _PUBLISHED_SHOTS in shots else shots[-1]
    chosen = [result for result in drawn if result.shots == compared]
    errors = _by_device(chosen, "median_ape")
    if errors:
        yield f"{task}_error", bars(f"{task}: median APE by device, {counted(compared, 'sample')}", "%", errors)
    coverage = _by_device(chosen, "coverage_90")
    if coverage:
        title = f"{task}: how much the 90 % intervals hold, {counted(compared, 'sample')}"
        yield f"{task}_calibration", bars(title, "%", coverage, reference=90.0)
    if len(shots) > 1:
        series: dict[str, list[tuple[float, float]]] = {}
        for result in drawn:
            if result.mean.get("spearman"):
                series.setdefault(result.label, []).append((result.shots, result.mean["spearman"]["mean"]))
        yield f"{task}_shots", lines(f"{task}: Spearman against samples", "Spearman", "samples", series)


def _drawn(results: Sequence[Result]) -> list[Result]:
    """The results of one predictor of each kind, so that a chart stays legible.

    A predictor with default hyperparameters is preferred, then the sampler `variance`.
    """
    best: dict[str, tuple[str, str]] = {}
    for result in sorted(results, key=lambda item: (":" in item.predictor, item.sampler != "variance")):
        best.setdefault(result.predictor.partition(":")[0], (result.predictor, result.sampler))
    return [result for result in results if (result.predictor, result.sampler) in best.values()]


def _by_device(results: Sequence[Result], metric: str) -> dict[str, dict[str, float]]:
    """The metric in percent: device → predictor → value."""
    percent: dict[str, dict[str, float]] = {}
    for result in results:
        for device, figures in result.targets.items():
            if figures.get(metric):
                percent.setdefault(device, {})[result.label] = 100 * figures[metric]["mean"]
    return percent


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
