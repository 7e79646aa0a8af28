"""HELP's search table: the most accurate cell of NAS-Bench-201 under fifteen limits on five devices.

HELP (Lee et al., NeurIPS 2021, https://arxiv.org/abs/2106.08630, table 4) adapts to a device with ten measurements and
picks among 500 cells that MetaD2A proposes. Here the picks are of `universal`, trained on HELP's nine source devices,
and checked on the device's whole table.

    python -m benchmarks.search_table --data HELP/data --out search.json

Two questions are answered.

1. Ten measurements and no other: is the cell that keeps the limit with 90 % as good as HELP's, and does it keep it?
2. Ten measurements to learn from and up to ten to verify: which way of forecasting finds the most accurate cell that
   was measured to keep the limit? FLOPs and layer-wise tables learn from the same ten; random measuring has them all.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latcast.constraints import judged
from latcast.loops.forecasts import forecasts_of_rows
from latcast.schema import Architecture
from predictors.base import FloatArray, Predictor, Query
from predictors.data.importers.help import LatencyTable, help_folder, read_table, target_of
from predictors.evaluation.nas.protocol import Choice, split_target, training_rows
from predictors.evaluation.nas.tasks import DEFAULT_SOURCES
from predictors.registry import predictor_class
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

SPACE = "nasbench201"
LEARN, PROBABILITY = 10, 0.9
VERIFY = (0, 1, 2, 5, 10)
METHODS = ("universal", "lookup_table", "flops", "random")
WORTH = 0.25
"""Probability from which a cell is worth a measurement that verifies it."""
MARGIN = 0.8
"""Share of the limit within which a method without intervals trusts what it has not measured."""
HELP_FOUND: dict[str, dict[float, tuple[float, float]]] = {
    "gold_6226": {8: (8.0, 67.3), 11: (10.7, 70.2), 14: (14.3, 72.1)},
    "titan_rtx_256": {18: (17.8, 69.7), 21: (18.9, 71.5), 25: (24.2, 71.8)},
    "eyeriss": {5: (3.9, 71.5), 7: (5.1, 71.8), 9: (9.1, 73.5)},
    "fpga": {4: (3.8, 70.2), 5: (4.7, 71.8), 6: (7.4, 73.5)},
    "pixel2": {14: (13.0, 69.7), 18: (19.0, 71.8), 22: (25.0, 73.2)},
}
"""Limit in ms → latency in ms and accuracy in % that HELP found, as published."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A method's forecasts of the candidates: median and spread (0 where it claims none), float64 (n,) each."""

    median_ms: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class Candidates:
    """Cells with their accuracies in %, most accurate first, their MACs, and their rows of the table."""

    architectures: Sequence[Architecture]
    accuracy: FloatArray
    macs: FloatArray
    rows: "np.ndarray[tuple[int], np.dtype[np.intp]]"


def read_candidates(data: Path, table: LatencyTable) -> Candidates:
    """The cells of `arch_generated_by_metad2a.txt`."""
    lines = (help_folder(data) / SPACE / "arch_generated_by_metad2a.txt").read_text().splitlines()
    accuracies = {}
    for line in lines:
        text, comma, rest = line.partition(",")
        if comma:
            accuracies[text.strip()] = float(rest.split(",")[0])
    place = {one.text: row for row, one in enumerate(table.architectures)}
    texts = sorted(accuracies, key=lambda text: -accuracies[text])
    found = [table.architectures[place[text]] for text in texts]
    return Candidates(
        architectures=found,
        accuracy=np.array([accuracies[text] for text in texts]),
        macs=np.array([macs_of(one) for one in found]),
        rows=np.array([place[text] for text in texts]),
    )


def macs_of(architecture: Architecture) -> float:
    """Multiply-accumulates of a cell's network."""
    return float(load_graph(get_space(SPACE).to_onnx(architecture)).macs)


def forecasts(
    bases: dict[str, Predictor], table: LatencyTable, candidates: Candidates, device: str, seed: int
) -> dict[str, Forecast]:
    """The forecasts of each method after ten measurements, which `universal` chose by their variance."""
    target = target_of(SPACE, device)
    choice = Choice(device=device, seed=seed, sampler="variance", shots=LEARN)
    support = split_target(table, bases["universal"], choice, protocol="full", samples=900).support
    queries = [Query(target=target, architecture=one) for one in candidates.architectures]
    said = {}
    for name, base in bases.items():
        prediction = base.adapt(target, support).predict(queries)
        spread = np.zeros(len(queries)) if prediction.log_std is None else prediction.log_std * prediction.tail_scale
        said[name] = Forecast(prediction.median_ms, spread)
    measured = np.array([macs_of(query.architecture) for query in support.queries if query.architecture])
    slope, start = np.polyfit(measured, support.latency_ms, 1)
    said["flops"] = Forecast(np.maximum(start + slope * candidates.macs, 1e-3), np.zeros(len(queries)))
    return said


def probabilities(said: Forecast, limit_ms: float) -> FloatArray:
    """P(latency ≤ limit) of each candidate, as `latcast.Feasible` has it."""
    high = said.median_ms * np.exp(1.6448536269514722 * said.spread)
    ends = np.where(said.spread > 0, high, np.nan).tolist()
    rows = [(median, 0.0, end, False, 1.0) for median, end in zip(said.median_ms.tolist(), ends, strict=True)]
    judgement = judged(forecasts_of_rows(rows, level=0.9, facts={}), limit_ms, PROBABILITY)
    return np.asarray(judgement.probability, dtype=np.float64)


def first_sure(kept: FloatArray) -> int | None:
    """The most accurate candidate that keeps the limit with 90 %."""
    sure = np.flatnonzero(kept >= PROBABILITY)
    return int(sure[0]) if len(sure) else None


def verified(said: Forecast, true_ms: FloatArray, limit_ms: float, measurements: int) -> int | None:
    """The most accurate candidate that was measured to keep the limit within so many measurements; else one that is
    trusted without.
    """
    kept = probabilities(said, limit_ms)
    tried = np.flatnonzero(kept >= WORTH)[:measurements].tolist()
    for place in tried:
        if true_ms[place] <= limit_ms:
            return int(place)
    claims = bool((said.spread > 0).any())
    trusted = kept >= PROBABILITY if claims else said.median_ms <= MARGIN * limit_ms
    return next((int(place) for place in np.flatnonzero(trusted) if int(place) not in tried), None)


def measured_at_random(true_ms: FloatArray, limit_ms: float, measurements: int, seed: int) -> int | None:
    """The most accurate of so many random candidates that keeps the limit."""
    rng = np.random.default_rng([seed, int(limit_ms)])
    drawn = np.sort(rng.permutation(len(true_ms))[:measurements])
    return next((int(place) for place in drawn if true_ms[place] <= limit_ms), None)


def run(data: Path, seeds: int) -> dict[str, Any]:
    """A row for each limit with what each seed found, and how many accepted candidates kept their limit."""
    table = read_table(data, SPACE)
    candidates = read_candidates(data, table)
    training = training_rows(table, DEFAULT_SOURCES[SPACE], protocol="full", samples=900, seed=0, references=False)
    bases = {name: predictor_class(name)(seed=0).fit(training) for name in ("universal", "lookup_table")}
    rows, accepted, near = [], np.zeros(2), np.zeros(2)
    for device, limits in HELP_FOUND.items():
        true_ms = table.column(device)[candidates.rows]
        said = [forecasts(bases, table, candidates, device, seed) for seed in range(seeds)]
        for limit_ms in limits:
            kept = [probabilities(one["universal"], limit_ms) for one in said]
            for probability in kept:
                sure = probability >= PROBABILITY
                close = sure & (true_ms > MARGIN * limit_ms)
                accepted += (sure.sum(), (true_ms[sure] <= limit_ms).sum())
                near += (close.sum(), (true_ms[close] <= limit_ms).sum())
            found = {"sure": [first_sure(probability) for probability in kept]}
            for more in VERIFY:
                found |= {
                    key(name, more): [verified(one[name], true_ms, limit_ms, more) for one in said] for name in said[0]
                }
                found[key("random", more)] = [
                    measured_at_random(true_ms, limit_ms, LEARN + more, seed) for seed in range(seeds)
                ]
            rows.append(described(device, limit_ms, found, true_ms, candidates.accuracy))
    names = ("candidates", "kept")
    return {
        "rows": rows,
        "accepted": dict(zip(names, accepted.tolist(), strict=True)),
        "accepted_near_the_limit": dict(zip(names, near.tolist(), strict=True)),
    }


def key(method: str, more: int) -> str:
    """The name of what a method found with so many measurements."""
    return f"{method} {LEARN + more}"


def described(
    device: str,
    limit_ms: float,
    found: dict[str, list[int | None]],
    true_ms: FloatArray,
    accuracy: FloatArray,
) -> dict[str, Any]:
    """The cell that was found under one limit; the accuracy of a cell that keeps no limit counts as nothing."""
    possible = accuracy[true_ms <= limit_ms]
    best = float(possible.max()) if len(possible) else None
    picks = {
        name: [
            None if place is None else {"ms": float(true_ms[place]), "accuracy": float(accuracy[place]),
                                        "kept": bool(true_ms[place] <= limit_ms)}
            for place in places
        ]
        for name, places in found.items()
    }  # fmt: skip
    return {"device": device, "limit_ms": limit_ms, "best": best, "found": picks, "help": HELP_FOUND[device][limit_ms]}


def mean_feasible(picks: Sequence[dict[str, Any] | None]) -> float:
    """Mean accuracy, in which what keeps no limit, or was not found, counts as nothing."""
    return float(np.mean([pick["accuracy"] if pick and pick["kept"] else 0.0 for pick in picks]))


def markdown(result: dict[str, Any]) -> str:
    """Both tables, in Markdown."""
    lines = [
        "| device | limit, ms | HELP: ms / % | kept | ours: ms / %, mean | kept, of seeds | best there is, % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        picks = [pick for pick in row["found"]["sure"] if pick]
        ms, accuracy = (np.mean([pick[name] for pick in picks]) if picks else np.nan for name in ("ms", "accuracy"))
        kept = sum(pick["kept"] for pick in picks)
        help_ms, help_accuracy = row["help"]
        lines.append(
            f"| {row['device']} | {row['limit_ms']:g} | {help_ms:g} / {help_accuracy:g} | "
            f"{'yes' if help_ms <= row['limit_ms'] else 'no'} | {ms:.1f} / {accuracy:.1f} | "
            f"{kept} of {len(row['found']['sure'])} | {row['best'] or float('nan'):.1f} |"
        )
    most = max(VERIFY)
    lines += ["", f"| device | limit, ms | {' | '.join(METHODS)} |", "| --- | --- |" + " --- |" * len(METHODS)]
    for row in result["rows"]:
        cells = [f"{mean_feasible(row['found'][key(name, most)]):.2f}" for name in METHODS]
        lines.append(f"| {row['device']} | {row['limit_ms']:g} | {' | '.join(cells)} |")
    lines += ["", *compared(result["rows"])]
    for name in ("accepted", "accepted_near_the_limit"):
        count = result[name]
        lines.append(f"\n{name}: {count['kept']:.0f} of {count['candidates']:.0f} kept their limit.")
    return "\n".join(lines)


def compared(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Limits under which `universal` found a better cell than each other method, by measurements, in Markdown."""
    others = METHODS[1:]
    lines = [
        f"| measurements | {' | '.join(f'better than {name} (not worse)' for name in others)} |",
        "| --- |" + " --- |" * len(others),
    ]
    for more in VERIFY:
        means = {name: [mean_feasible(row["found"][key(name, more)]) for row in rows] for name in METHODS}
        pairs = {name: list(zip(means["universal"], means[name], strict=True)) for name in others}
        counts = [f"{sum(a > b for a, b in two)} ({sum(a >= b for a, b in two)})" for two in pairs.values()]
        lines.append(f"| {LEARN + more} | {' | '.join(counts)} |")
    return lines


def main() -> None:
    """Run, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    result = run(asked.data, asked.seeds)
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1))
    print(markdown(result))


if __name__ == "__main__":
    main()
