"""From a measured data set to the shipped artifact: loading, judging by cross-validation, the model card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictors.base import FloatArray, LatencyDataset, Prediction, Predictor
from predictors.dataset import group_folds
from predictors.kernel_sum import KernelSumPredictor
from predictors.measured import MeasuredTarget, family_of, read_rows, read_targets, speaking_rows, to_dataset
from predictors.metrics import report
from profilers.schema import InputError

__all__ = ["Campaigns", "judge", "load_campaigns", "write_card"]

FOLDS = 4
SUPPORT = 10
SUPPORT_DRAWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """Everything measured on one target.

    Args:
        dataset: one row for each graph.
        families: of each row, for example `zoo/mobile`.
        networks: rows that are whole networks measured in sandboxes: what forecasts are judged on.
        target: that all rows are of, and its machine.
    """

    dataset: LatencyDataset
    families: Sequence[str]
    networks: np.ndarray[Any, np.dtype[np.intp]]
    target: MeasuredTarget


def load_campaigns(folder: Path, label: str) -> Campaigns:
    """The usable rows of the target with this label, or whose label ends so.

    Raises:
        InputError: not a packed data set, or not one target with such a label.
    """
    targets = [known for known in read_targets(folder) if known.target.label.endswith(label)]
    if len(targets) != 1:
        raise InputError(
            f"{len(targets)} targets have a label that ends in {label!r}; `latcast dataset stats` lists all."
        )
    rows = speaking_rows(row for row in read_rows(folder) if row.target == targets[0].target.id)
    careful = [row.space != "kernels" and row.method == "careful" for row in rows]
    return Campaigns(
        dataset=to_dataset(rows, targets),
        families=[family_of(row.architecture) for row in rows],
        networks=np.flatnonzero(careful),
        target=targets[0],
    )


def judge(campaigns: Campaigns, make: type[KernelSumPredictor], seed: int) -> dict[str, Any]:
    """Figures over networks that training did not see, as `predictors.metrics.report` gives them.

    `unadapted` and `adapted` (to the same machine, from ten of the held-out networks, three draws) come from a
    cross-validation over networks; `families` splits the former; `new_families` leaves whole families out.
    """
    networks, families = campaigns.networks, np.array(campaigns.families)[campaigns.networks]
    names = [campaigns.dataset.queries[i].graph.hash for i in networks]
    by_network = _held_out(campaigns, make, [networks[o] for _, o in group_folds(names, FOLDS, seed=seed)], seed)
    by_family = _held_out(campaigns, make, [networks[o] for _, o in group_folds(families, FOLDS, seed=seed)], seed)
    measured, forecast = _join(by_network["unadapted"])
    owner = np.array(campaigns.families)[np.concatenate(by_network["rows"])]
    return {
        "unadapted": report(measured, forecast),
        "adapted": report(*_join(by_network["adapted"])),
        "families": {
            name: report(measured[owner == name], _part(forecast, owner == name)) for name in np.unique(owner)
        },
        "new_families": report(*_join(by_family["unadapted"])),
        "new_families_adapted": report(*_join(by_family["adapted"])),
    }


Judged = tuple[FloatArray, Prediction]


def _held_out(
    campaigns: Campaigns, make: type[KernelSumPredictor], folds: Sequence[np.ndarray[Any, Any]], seed: int
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"rows": [], "unadapted": [], "adapted": []}
    hashes = np.array([query.graph.hash for query in campaigns.dataset.queries])
    for number, outer in enumerate(folds):
        print(f"fold {number + 1} of {len(folds)}", flush=True)
        inner = np.flatnonzero(~np.isin(hashes, hashes[outer]) & ~_of_new_families(campaigns, outer))
        predictor = make(seed=seed).fit(campaigns.dataset.subset(inner))
        held_out = campaigns.dataset.subset(outer)
        found["rows"].append(outer)
        found["unadapted"].append((held_out.latency_ms, predictor.predict(held_out.queries)))
        found["adapted"] += [_adapted(predictor, held_out, seed + draw) for draw in range(SUPPORT_DRAWS)]
    return found


def _of_new_families(campaigns: Campaigns, outer: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows of families that are held out as a whole, however they were measured; none where only parts are."""
    families = np.array(campaigns.families)
    held, rest = set(families[outer]), set(families[np.setdiff1d(campaigns.networks, outer)])
    return np.isin(families, sorted(held - rest)) if not held & rest else np.zeros(len(families), dtype=bool)


def _adapted(predictor: Predictor, held_out: LatencyDataset, seed: int) -> Judged:
    order = np.random.default_rng(seed).permutation(len(held_out))
    support, rest = held_out.subset(order[:SUPPORT]), held_out.subset(order[SUPPORT:])
    return rest.latency_ms, predictor.adapt(support.queries[0].target, support).predict(rest.queries)


def _join(parts: Sequence[Judged]) -> Judged:
    spreads = [forecast.log_std * forecast.tail_scale for _, forecast in parts if forecast.log_std is not None]
    medians = np.concatenate([forecast.median_ms for _, forecast in parts])
    joined = Prediction(median_ms=medians, log_std=np.concatenate(spreads))
    return np.concatenate([measured for measured, _ in parts]), joined


def _part(forecast: Prediction, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> Prediction:
    spread = forecast.log_std
    return Prediction(median_ms=forecast.median_ms[mask], log_std=None if spread is None else spread[mask])


def write_card(path: Path, campaigns: Campaigns, figures: dict[str, Any], size_bytes: int) -> None:
    """The model card, in Markdown."""
    device, data = campaigns.target.device, campaigns.dataset
    kernels = sum(family.startswith("kernels/") for family in campaigns.families)
    overall = {
        "networks not seen, as shipped": figures["unadapted"],
        "networks not seen, adapted with 10 others": figures["adapted"],
        "families not seen, as shipped": figures["new_families"],
        "families not seen, adapted with 10 others": figures["new_families_adapted"],
    }
    lines = [
        "# kernel_sum-base",
        "",
        "The base predictor that latcast ships: kernel_sum, for float32 networks on the ONNX Runtime CPU provider, one",
        "thread. Adapt it to your machine with about ten measured networks; without that its milliseconds are those of",
        "the machine below. How it works is told in `docs/kernel_sum.md`.",
        "",
        "## Data and protocol",
        "",
        f"- {len(data):,} measurements of our own generators: {len(campaigns.networks):,} whole networks (zoo and",
        f"  search spaces) in fresh sandboxed processes, two of them each; {kernels:,} graphs of one or a few",
        "  kernels, and more networks, profiled quickly in one process. No published model is among them.",
        f"- Machine: {device.processor}, {device.machine}, {device.physical_cores} cores, features",
        f"  {', '.join(sorted(device.features)[:12])}.",
        f"- Target: {campaigns.target.target.label}.",
        "- Weights are random: latency does not depend on them, but for denormal ones.",
        "- Made with `latcast campaign`, `latcast dataset pack` and `python benchmarks/train_base.py`; the rows are in",
        "  `benchmarks/data`, whose datasheet says how they were measured. The artifact names seed, data digest and",
        f"  library versions, and takes {size_bytes / 1e6:.1f} MB. Licence: Apache-2.0, data and artifact.",
        "",
        "## Accuracy",
        "",
        "Cross-validation over whole networks; no figure comes from a network that its model has seen.",
        "",
        *_table(overall),
        "",
        "By family, as shipped:",
        "",
        *_table(figures["families"]),
        "",
        "## Known weaknesses",
        "",
        "- Fusion follows ONNX Runtime's rules for x86-64 with AVX-512 (channel blocks of 16). On machines with other",
        "  blocks, or other runtimes, adaptation has to make up for layouts that differ.",
        "- More than one thread, quantised and half-precision models, and batches above 32 were not measured.",
        "- Networks below some 20 µs are mostly the call itself, of which only an average is known.",
        "- Sorting, scattering, If and Loop have few examples; their intervals are wide, and `coverage` says so.",
    ]
    path.write_text("\n".join(lines) + "\n")


def _table(rows: dict[str, dict[str, Any]]) -> list[str]:
    head = ["| | networks | median APE | within ±10 % | within ±20 % | Spearman | 90 % interval holds |"]
    head.append("| --- | --- | --- | --- | --- | --- | --- |")
    return head + [f"| {name} | {_cells(figures)} |" for name, figures in rows.items()]


def _cells(figures: dict[str, Any]) -> str:
    shares = [figures[name] for name in ("median_ape", "within_10", "within_20")]
    rank = figures["spearman"]
    return " | ".join(
        [
            str(figures["rows"]),
            *(f"{100 * share:.1f} %" for share in shares),
            "–" if rank is None else f"{rank:.3f}",
            f"{100 * figures['interval_coverage']:.0f} %",
        ]
    )
