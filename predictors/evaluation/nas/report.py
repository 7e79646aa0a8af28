"""Results as a page of tables and figures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latcast.schema import InputError
from predictors.evaluation.nas.plots import bars, lines

__all__ = ["Result", "read_results", "write_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """Figures of a paper on tasks of a suite.

    Args:
        title: of the table.
        rows: whose, and with what → task → mean Spearman over the task's targets.
    """

    title: str
    rows: Mapping[str, Mapping[str, float]]

    @property
    def tasks(self) -> list[str]:
        """In the order of the papers."""
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
"""As the NASFLAT repository lists them (https://github.com/abdelfattah-lab/nasflat_latency) and as HELP's tables have
them (Lee et al., NeurIPS 2021, tables 2 and 3; the mean of FBNet is over its three devices)."""

_USUAL_SHOTS = 20

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


def write_report(results: Sequence[Result], out: Path, *, notes: str = "") -> list[Path]:
    """Write the page and its figures.

    Args:
        results: of any tasks.
        out: the page; figures go to a folder beside it that is named like it.
        notes: Markdown that stands after the introduction.

    Returns:
        The figures' paths.

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
    """Spearman of every predictor on the tasks that the literature shares, and coverage beside it."""
    for published in PUBLISHED:
        part = [result for result in results if result.task in published.tasks]
        if not part:
            continue
        tasks = [task for task in published.tasks if any(result.task == task for result in part)]
        rows = [
            [name, *(f"{known[task]:.3f}" if task in known else "–" for task in tasks)]
            for name, known in published.rows.items()
        ]
        yield f"## {published.title}\n"
        yield _markdown(["", *tasks], rows + _by_task(part, tasks, "spearman", "number"))
        claimed = [result for result in part if result.mean.get("coverage_90")]
        if claimed:
            yield "How many of the latencies lie in the 90 % intervals of those that give intervals:\n"
            yield _markdown(["", *tasks], _by_task(claimed, tasks, "coverage_90", "share"))


def _by_task(results: Sequence[Result], tasks: Sequence[str], metric: str, kind: str) -> list[list[str]]:
    """A row for each combination of predictor, sampler and samples: first those with the papers' number of samples."""
    rows = []
    heads = dict.fromkeys((result.label, result.shots) for result in results)
    for label, shots in sorted(heads, key=lambda head: (head[1] != _USUAL_SHOTS, head[1])):
        known = {
            result.task: result.mean[metric] for result in results if (result.label, result.shots) == (label, shots)
        }
        rows.append([f"{label}, {shots} samples", *(_cell(known.get(task), kind) for task in tasks)])
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
    usual = _USUAL_SHOTS if _USUAL_SHOTS in shots else shots[-1]
    chosen = [result for result in drawn if result.shots == usual]
    errors = _by_device(chosen, "median_ape")
    if errors:
        yield f"{task}_error", bars(f"{task}: median APE by device, {usual} samples", "%", errors)
    coverage = _by_device(chosen, "coverage_90")
    if coverage:
        title = f"{task}: how much the 90 % intervals hold, {usual} samples"
        yield f"{task}_calibration", bars(title, "%", coverage, reference=90.0)
    if len(shots) > 1:
        series: dict[str, list[tuple[float, float]]] = {}
        for result in drawn:
            if result.mean.get("spearman"):
                series.setdefault(result.label, []).append((result.shots, result.mean["spearman"]["mean"]))
        yield f"{task}_shots", lines(f"{task}: Spearman against samples", "Spearman", "samples", series)


def _drawn(results: Sequence[Result]) -> list[Result]:
    """Of each kind of predictor one, so that a figure can be read: plain before changed, `variance` before others."""
    best: dict[str, tuple[str, str]] = {}
    for result in sorted(results, key=lambda item: (":" in item.predictor, item.sampler != "variance")):
        best.setdefault(result.predictor.partition(":")[0], (result.predictor, result.sampler))
    return [result for result in results if (result.predictor, result.sampler) in best.values()]


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
