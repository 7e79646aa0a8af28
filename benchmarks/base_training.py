"""From a campaign's measurements to the shipped artifact: loading, judging by cross-validation, the model card."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from campaign import DEVICE_FILE, MEASUREMENTS_FILE, Row, read_rows

from predictors.base import FloatArray, LatencyDataset, Prediction, Predictor
from predictors.dataset import from_measurements, group_folds
from predictors.kernel_sum import KernelSumPredictor
from predictors.metrics import report
from profilers.onnx_graph import load_graph
from profilers.schema import Graph, LatcastError, Measurement
from profilers.search_spaces import get_space

__all__ = ["Campaigns", "judge", "load_campaigns", "write_card"]

FOLDS = 4
SUPPORT = 10
SUPPORT_DRAWS = 3
NOTES_FILE = "notes.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """Everything measured.

    Args:
        dataset: one row for each measurement.
        families: of each row, for example `zoo/mobile`.
        networks: rows that are whole networks measured in sandboxes: what forecasts are judged on.
        device: what `describe_device` said of the machine.
        stale: rows left out because the generator has changed since.
        notes: lines of `notes.md` in the folders: what whoever measured has to say about it.
    """

    dataset: LatencyDataset
    families: Sequence[str]
    networks: np.ndarray[Any, np.dtype[np.intp]]
    device: dict[str, Any]
    stale: int
    notes: Sequence[str]


def load_campaigns(folders: Sequence[Path]) -> Campaigns:
    """The successful rows of these folders, their graphs built anew from the architectures' texts."""
    rows, graphs, stale = [], dict[str, Graph](), 0
    for row in _rows(folders):
        graph = _graph(row)
        if graph is None or graph.hash != row.measurement.graph:
            stale += 1
            continue
        graphs[graph.hash] = graph
        rows.append(row)
    measurements: list[Measurement] = [row.measurement for row in rows]
    careful = [row.architecture.space != "kernels" and row.measurement.settings.processes > 1 for row in rows]
    return Campaigns(
        dataset=from_measurements(measurements, graphs),
        families=[_family(row) for row in rows],
        networks=np.flatnonzero(careful),
        device=json.loads((folders[0] / DEVICE_FILE).read_text()),
        stale=stale,
        notes=[line for folder in folders for line in _notes(folder / NOTES_FILE)],
    )


def _notes(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _rows(folders: Sequence[Path]) -> Iterator[Row]:
    seen: set[tuple[str, bool]] = set()
    for folder in folders:
        for row in read_rows(folder / MEASUREMENTS_FILE):
            key = (row.measurement.graph, row.measurement.settings.processes > 1)
            if row.measurement.summary is not None and key not in seen:
                seen.add(key)
                yield row


def _graph(row: Row) -> Graph | None:
    try:
        return load_graph(get_space(row.architecture.space).to_onnx(row.architecture))
    except LatcastError as error:
        sys.stderr.write(f"{row.architecture.text}: {error}\n")
        return None


def _family(row: Row) -> str:
    space, text = row.architecture.space, row.architecture.text
    return space if space == "nasbench201" else f"{space}/{text.split('/')[0]}"


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
    device, data = campaigns.device, campaigns.dataset
    versions = sorted({query.target.label for query in data.queries})
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
        f"  NAS-Bench-201 cells) in fresh sandboxed processes, two of them each; {kernels:,} graphs of one or a few",
        "  kernels, and some more networks, profiled quickly in one process. No published model is among them.",
        f"- Machine: {device['processor']}, {device['machine']}, {device['physical_cores']} cores, features",
        f"  {', '.join(sorted(device['features'])[:12])}.",
        *[f"- Target: {version}." for version in versions],
        "- Weights are random: latency does not depend on them, but for denormal ones.",
        "- Made with `python benchmarks/train_base.py measure` and `train`; the artifact names seed, data digest and",
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
        *campaigns.notes,
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
