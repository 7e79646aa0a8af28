"""Steps of training a shipped base predictor: loading a measured data set, cross-validation, the model card."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import numpy as np

from latcast.schema import Device
from predictors.base import FloatArray, LatencyDataset, Prediction, Predictor
from predictors.data.measured import read_measured, read_rows, read_targets
from predictors.data.measured.records import QUICK
from predictors.data.measured.statistics import repeatability
from predictors.data.splits import group_folds
from predictors.evaluation.metrics import report
from predictors.evaluation.nas.units import Contender
from profilers.search_spaces.families import family_of

__all__ = ["MAIN_TARGET", "Measured", "judge", "judge_on_main_target", "load", "make", "write_card"]

MAIN_TARGET = "fp32 1 thread optimisation=all spinning=off"
"""End of the label of the target with the most rows, in whose milliseconds an unadapted base forecasts."""

FOLDS = 4
SUPPORT = 10
"""Number of measurements in each support."""
SUPPORT_DRAWS = 3
"""Number of supports for each held-out family and target."""
FEWEST_JUDGED = 5
"""Least number of networks of a family that are left to judge."""

Rows = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measured data set of many targets.

    Args:
        dataset: one row for each graph and target.
        families: family of each row, for example `zoo/mobile`, str (n,).
        labels: label of each row's target, with the machine's number where there are several, str (n,).
        networks: indices of the rows that are whole networks, on which forecasts are judged.
        difference: median of |a − b| / mean of networks and kernels that were quickly measured twice.
        machines: description of each machine, for the card.
    """

    dataset: LatencyDataset
    families: Rows
    labels: Rows
    networks: Rows
    difference: float
    machines: tuple[str, ...]

    @property
    def main(self) -> Rows:
        """Whether each row is of the main target, bool (n,)."""
        return np.array([label.endswith(MAIN_TARGET + _on_machine(1, len(self.machines))) for label in self.labels])


def load(folder: Path) -> Measured:
    """The measured data set in a folder that `latcast dataset pack` wrote.

    Raises:
        InputError: the folder holds no such files.
    """
    dataset = read_measured(folder)
    families = [family_of(query.architecture) for query in dataset.queries if query.architecture is not None]
    devices = {measured.device.fingerprint: measured.device for measured in read_targets(folder)}
    numbers = {fingerprint: number for number, fingerprint in enumerate(devices, 1)}
    targets = [query.target for query in dataset.queries]
    return Measured(
        dataset=dataset,
        families=np.array(families),
        labels=np.array([target.label + _on_machine(numbers[target.device], len(numbers)) for target in targets]),
        networks=np.flatnonzero([not family.startswith("kernels/") for family in families]),
        difference=median(repeatability(read_rows(folder), QUICK)),
        machines=tuple(map(_described, devices.values())),
    )


def _on_machine(number: int, count: int) -> str:
    return f", machine {number}" if count > 1 else ""


def _described(device: Device) -> str:
    features = ", ".join(sorted(device.features)[:12])
    return f"{device.processor}, {device.machine}, {device.physical_cores} cores, features {features}"


def make(kind: str, seed: int) -> Predictor:
    """An unfitted predictor of a kind, with hyperparameters as `Contender.parse` reads them."""
    return Contender.parse(kind).make(seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Forecasts of held-out rows.

    Args:
        rows: indices of n rows.
        measured: measured latencies in ms, float64 (n,).
        forecast: forecasts of the rows.
    """

    rows: Rows
    measured: FloatArray
    forecast: Prediction

    def figures(self, mask: Rows | None = None) -> dict[str, Any]:
        """The figures of `predictors.evaluation.metrics.report`, over the rows of a mask or over all."""
        chosen = np.ones(len(self.rows), dtype=bool) if mask is None else mask
        spread = self.forecast.log_std
        part = Prediction(median_ms=self.forecast.median_ms[chosen], log_std=None if spread is None else spread[chosen])
        return report(self.measured[chosen], part)


def judge(measured: Measured, kind: str, seed: int, *, workers: int) -> dict[str, Any]:
    """Figures over networks that are held out on all targets.

    The keys are those of the artifacts that are shipped. `known…`: networks of families and targets in training, over
    all, by target and by family. `families`: whole held-out families, unadapted. `families_told…`: the same after an
    adaptation to ten of a family's networks.
    """
    networks = measured.networks
    hashes = [measured.dataset.queries[i].graph.hash for i in networks]
    by_graph = [networks[outer] for _, outer in group_folds(hashes, FOLDS, seed=seed)]
    by_family = [networks[outer] for _, outer in group_folds(list(measured.families[networks]), FOLDS, seed=seed)]
    tasks = [(kind, seed, rows, False) for rows in by_graph] + [(kind, seed, rows, True) for rows in by_family]
    _shared.append(measured)
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        futures = [pool.submit(_held_out, *task) for task in tasks]
        for count, future in enumerate(as_completed(futures), 1):
            (unadapted,) = future.result()[0]
            part = unadapted.figures(measured.main[unadapted.rows])
            print(f"{count} of {len(tasks)} folds judged: median error {part['median_ape']:.1%}", flush=True)
        done = [future.result() for future in futures]
    networks_out = _join([one for unadapted, _ in done[:FOLDS] for one in unadapted])
    families_out = _join([one for unadapted, _ in done[FOLDS:] for one in unadapted])
    adapted = _join([one for _, parts in done[FOLDS:] for one in parts])
    labels = measured.labels[networks_out.rows]
    return {
        "known": networks_out.figures(measured.main[networks_out.rows]),
        "known_by_target": {str(name): networks_out.figures(labels == name) for name in sorted(set(labels))},
        "known_by_family": _by_family(measured, networks_out),
        "families": families_out.figures(measured.main[families_out.rows]),
        "families_told": adapted.figures(measured.main[adapted.rows]),
        "families_told_by_family": _by_family(measured, adapted),
    }


def judge_on_main_target(measured: Measured, kind: str, seed: int, *, workers: int) -> dict[str, Any]:
    """Figures over the networks of the main target, in four folds, each forecast by what the others' rows teach alone.

    Args:
        measured: a data set of any targets.
        kind: of the predictor, with hyperparameters as `Contender.parse` reads them.
        seed: of folds and of training.
        workers: folds trained at once, each in a process of its own.

    Returns:
        The figures over all four, and `seconds` that each fold took to be trained and forecast.
    """
    rows = np.flatnonzero(measured.main)
    part = replace(
        measured,
        dataset=measured.dataset.subset(rows),
        families=measured.families[rows],
        labels=measured.labels[rows],
        networks=np.flatnonzero(np.isin(rows, measured.networks)),
    )
    hashes = [part.dataset.queries[row].graph.hash for row in part.networks]
    _shared.append(part)
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        futures = [
            pool.submit(_timed_fold, kind, seed, part.networks[outer])
            for _, outer in group_folds(hashes, FOLDS, seed=seed)
        ]
        done = [future.result() for future in futures]
    return {**_join([judged for judged, _ in done]).figures(), "seconds": [round(seconds) for _, seconds in done]}


def _timed_fold(kind: str, seed: int, outer: Rows) -> tuple[Judged, float]:
    start = monotonic()
    (judged,), _ = _held_out(kind, seed, outer, whole_families=False)
    return judged, monotonic() - start


def _by_family(measured: Measured, judged: Judged) -> dict[str, Any]:
    """The figures of each family on the main target."""
    families, main = measured.families[judged.rows], measured.main[judged.rows]
    return {str(name): judged.figures((families == name) & main) for name in sorted(set(families))}


_shared: list[Measured] = []
"""The data set for forked workers, so that graphs which are built already are not sent."""


def _held_out(kind: str, seed: int, outer: Rows, whole_families: bool) -> tuple[list[Judged], list[Judged]]:
    """(unadapted forecasts, forecasts after adaptations to some networks of each family on each target)."""
    measured = _shared[-1]
    data = measured.dataset
    hashes = np.array([query.graph.hash for query in data.queries])
    hidden = np.isin(hashes, hashes[outer])
    if whole_families:
        hidden |= np.isin(measured.families, measured.families[outer])
    predictor = make(kind, seed).fit(data.subset(np.flatnonzero(~hidden)))
    unadapted = [_forecast(predictor, measured, outer)]
    if not whole_families:
        return unadapted, []
    adapted = []
    for family in sorted(set(measured.families[outer])):
        for label in sorted(set(measured.labels[outer])):
            rows = outer[(measured.families[outer] == family) & (measured.labels[outer] == label)]
            if len(rows) >= SUPPORT + FEWEST_JUDGED:
                adapted += [_adapted(predictor, measured, rows, seed + draw) for draw in range(SUPPORT_DRAWS)]
    return unadapted, adapted


def _adapted(predictor: Predictor, measured: Measured, rows: Rows, seed: int) -> Judged:
    order = np.random.default_rng(seed).permutation(rows)
    support = measured.dataset.subset(order[:SUPPORT])
    return _forecast(predictor.adapt(support.queries[0].target, support), measured, order[SUPPORT:])


def _forecast(predictor: Predictor, measured: Measured, rows: Rows) -> Judged:
    part = measured.dataset.subset(rows)
    forecast = predictor.predict(part.queries)
    spread = None if forecast.log_std is None else forecast.log_std * forecast.tail_scale
    return Judged(
        rows=rows, measured=part.latency_ms, forecast=Prediction(median_ms=forecast.median_ms, log_std=spread)
    )


def _join(parts: Sequence[Judged]) -> Judged:
    spreads = [part.forecast.log_std for part in parts if part.forecast.log_std is not None]
    return Judged(
        rows=np.concatenate([part.rows for part in parts]),
        measured=np.concatenate([part.measured for part in parts]),
        forecast=Prediction(
            median_ms=np.concatenate([part.forecast.median_ms for part in parts]),
            log_std=np.concatenate(spreads) if spreads else None,
        ),
    )


def write_card(path: Path, measured: Measured, kind: str, figures: dict[str, Any], size_bytes: int) -> None:
    """Write the model card, in Markdown.

    Args:
        path: file of the card, named after the artifact.
        measured: data set of the training.
        kind: kind of the predictor.
        figures: figures of `judge`; of a judgement that was ended early those that there are, with `judged_folds`.
        size_bytes: size of the artifact.
    """
    families = measured.families
    kernels = sum(family.startswith("kernels/") for family in families)
    named = {
        "held-out networks, family and target in training": "known",
        "held-out families": "families",
        "held-out families, ten of the family in the support": "families_told",
    }
    overall = {name: figures[key] for name, key in named.items() if key in figures}
    which = "first machine" if len(measured.machines) > 1 else "machine"
    judged = figures.get("judged_folds", FOLDS)
    some = "" if judged == FOLDS else f", of which {judged} were judged"
    lines = [
        f"# {path.stem}",
        "",
        f"A base predictor that latcast ships: {kind}, for any ONNX graph. Adapt it to your machine with about ten",
        f"measured networks; without that its milliseconds are those of the {which} below. It is described",
        f"in `docs/reference/{kind}.md`.",
        "",
        "## Data and protocol",
        "",
        f"- {len(families):,} rows of the measured data set (`benchmarks/data`, its datasheet states the protocol):",
        f"  {len(measured.networks):,} of whole networks, {kernels:,} of one or a few kernels, on "
        f"{len(set(measured.labels))} targets. No published model is",
        "  among them.",
        *(
            f"- Machine{_on_machine(number, len(measured.machines)).removeprefix(', machine')}: {machine}."
            for number, machine in enumerate(measured.machines, 1)
        ),
        f"- Made with `python benchmarks/train_base.py --kind {kind}`; the artifact names seed, data digest and",
        f"  library versions, and takes {size_bytes / 1e6:.1f} MB. Licence: Apache-2.0; of the data CC-BY-4.0.",
        "",
        "## Accuracy",
        "",
        f"Cross-validation over whole networks, four folds{some}; a judged network is in training on no target. On",
        f"ONNX Runtime, {MAIN_TARGET}{_on_machine(1, len(measured.machines))}:",
        "",
        *_table(overall),
        "",
        "Held-out networks, by target:",
        "",
        *_table(figures["known_by_target"]),
        "",
        "Held-out networks, by family:",
        "",
        *_table(figures["known_by_family"]),
        "",
        *(
            ["Held-out families, ten of the family in the support:", "", *_table(told), ""]
            if (told := figures.get("families_told_by_family"))
            else []
        ),
        "Networks of the data set were measured quickly, most of them again later: two measurements of one differ by",
        f"{measured.difference:.1%} (median).",
    ]
    path.write_text("\n".join(lines) + "\n")


def _table(rows: dict[str, dict[str, Any]]) -> list[str]:
    head = ["| | networks | median APE | within ±10 % | within ±20 % | Spearman | 90 % interval holds |"]
    head.append("| --- | --- | --- | --- | --- | --- | --- |")
    return head + [f"| {name} | {_cells(figures)} |" for name, figures in rows.items() if figures["rows"]]


def _cells(figures: dict[str, Any]) -> str:
    shares = [figures[name] for name in ("median_ape", "within_10", "within_20")]
    rank, coverage = figures["spearman"], figures["interval_coverage"]
    return " | ".join(
        [
            str(figures["rows"]),
            *(f"{100 * share:.1f} %" for share in shares),
            "–" if rank is None else f"{rank:.3f}",
            "–" if coverage is None else f"{100 * coverage:.0f} %",
        ]
    )
