"""HELP's search table: the most accurate cell of NAS-Bench-201 under fifteen limits on five devices.

HELP (Lee et al., NeurIPS 2021, https://arxiv.org/abs/2106.08630, table 4) adapts to a device with ten measurements and
picks among 500 cells that MetaD2A proposes. Here the picks are of `universal`, trained on HELP's nine source devices,
and checked on the device's whole table.

    python -m benchmarks.search_table --data HELP/data --out search.json

Two questions are answered.

1. Ten measurements: is the cell that keeps the limit with 90 % as good as HELP's, and does it keep it? Once all ten are
   chosen to learn from; once six are, and the others are of the cells whose measurement promises most
   (`latcast.constraints.worth_measuring`, as `Feasible.pick` has it).
2. So many measurements in all: which way of forecasting finds the most accurate cell that keeps the limit? FLOPs and
   layer-wise tables learn from the same six, choose what to measure in the same way, and learn from that, too. Random
   measuring draws cells.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latcast.constraints import judged, worth_measuring
from latcast.loops.forecasts import forecasts_of_rows
from latcast.schema import Architecture
from predictors.base import FloatArray, LatencyDataset, Predictor, Query
from predictors.data.importers.help import LatencyTable, help_folder, read_table, target_of
from predictors.evaluation.nas.protocol import Choice, split_target, training_rows
from predictors.evaluation.nas.tasks import DEFAULT_SOURCES
from predictors.registry import predictor_class
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

SPACE = "nasbench201"
LEARN, PROBABILITY = 10, 0.9
FIRST = 6
"""Measurements that are learnt from before the others are chosen by what they promise."""
TOTALS = (10, 11, 12, 15, 20)
METHODS = ("universal", "lookup_table", "flops", "random")
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


Forecaster = Callable[[LatencyDataset], Forecast]
"""Forecasts of the candidates by a method that has learnt from these measurements."""


def forecasters(bases: dict[str, Predictor], candidates: Candidates, device: str) -> dict[str, Forecaster]:
    """The methods that forecast."""
    target = target_of(SPACE, device)
    queries = [Query(target=target, architecture=one) for one in candidates.architectures]
    macs = dict(zip(candidates.architectures, candidates.macs.tolist(), strict=True))

    def adapted(base: Predictor, support: LatencyDataset) -> Forecast:
        prediction = base.adapt(target, support).predict(queries)
        spread = np.zeros(len(queries)) if prediction.log_std is None else prediction.log_std * prediction.tail_scale
        return Forecast(prediction.median_ms, spread)

    def by_macs(support: LatencyDataset) -> Forecast:
        measured = [query.architecture for query in support.queries if query.architecture]
        work = np.array([macs[one] if one in macs else macs_of(one) for one in measured])
        slope, start = np.polyfit(work, support.latency_ms, 1)
        return Forecast(np.maximum(start + slope * candidates.macs, 1e-3), np.zeros(len(queries)))

    return {**{name: partial(adapted, base) for name, base in bases.items()}, "flops": by_macs}


def first_support(base: Predictor, table: LatencyTable, device: str, seed: int, shots: int) -> LatencyDataset:
    """The measurements to begin with, chosen by their variance."""
    choice = Choice(device=device, seed=seed, sampler="variance", shots=shots)
    return split_target(table, base, choice, protocol="full", samples=900).support


def forecasts(
    bases: dict[str, Predictor], table: LatencyTable, candidates: Candidates, device: str, seed: int
) -> dict[str, Forecast]:
    """The forecasts of each method after ten measurements, which `universal` chose by their variance."""
    support = first_support(bases["universal"], table, device, seed, LEARN)
    return {name: say(support) for name, say in forecasters(bases, candidates, device).items()}


def probabilities(said: Forecast, limit_ms: float) -> FloatArray:
    """P(latency ≤ limit) of each candidate, as `latcast.Feasible` has it.

    A method that claims no interval is sure of what it forecasts well below the limit, and wavers just below it.
    """
    if not (said.spread > 0).any():
        return np.select([said.median_ms <= MARGIN * limit_ms, said.median_ms <= limit_ms], [1.0, 0.5], 0.0)
    high = said.median_ms * np.exp(1.6448536269514722 * said.spread)
    ends = np.where(said.spread > 0, high, np.nan).tolist()
    rows = [(median, 0.0, end, False, 1.0) for median, end in zip(said.median_ms.tolist(), ends, strict=True)]
    judgement = judged(forecasts_of_rows(rows, level=0.9, facts={}), limit_ms, PROBABILITY)
    return np.asarray(judgement.probability, dtype=np.float64)


def first_sure(kept: FloatArray) -> int | None:
    """The most accurate candidate that keeps the limit with 90 %."""
    sure = np.flatnonzero(kept >= PROBABILITY)
    return int(sure[0]) if len(sure) else None


def searched(
    say: Forecaster, first: LatencyDataset, candidates: Candidates, true_ms: FloatArray, limit_ms: float
) -> dict[int, int | None]:
    """The pick after each of `TOTALS` measurements: what promises most is measured, and learnt from.

    Args:
        say: the method.
        first: what was measured before.
        candidates: n cells.
        true_ms: float64 (n,), what measuring each gives.
        limit_ms: largest latency.
    """
    target, accuracy = first.queries[0].target, candidates.accuracy.tolist()
    picks: dict[int, int | None] = {}
    rows, times = list(first.queries), first.latency_ms.tolist()
    measured = np.zeros(len(true_ms), dtype=bool)
    while True:
        kept = probabilities(say(LatencyDataset(queries=rows, latency_ms=np.array(times))), limit_ms)
        kept = np.where(measured, true_ms <= limit_ms, kept)
        place = worth_measuring(kept.tolist(), accuracy, measured=measured.tolist(), trusted=PROBABILITY)
        picks |= {total: first_sure(kept) for total in TOTALS if total >= len(rows)}
        if place is None or len(rows) >= max(TOTALS):
            return picks
        measured[place] = True
        rows.append(Query(target=target, architecture=candidates.architectures[place]))
        times.append(float(true_ms[place]))


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
        methods = forecasters(bases, candidates, device)
        firsts = [first_support(bases["universal"], table, device, seed, FIRST) for seed in range(seeds)]
        after_ten = [
            methods["universal"](first_support(bases["universal"], table, device, seed, LEARN)) for seed in range(seeds)
        ]
        for limit_ms in limits:
            kept = [probabilities(said, limit_ms) for said in after_ten]
            for probability in kept:
                sure = probability >= PROBABILITY
                close = sure & (true_ms > MARGIN * limit_ms)
                accepted += (sure.sum(), (true_ms[sure] <= limit_ms).sum())
                near += (close.sum(), (true_ms[close] <= limit_ms).sum())
            found = {"sure": [first_sure(probability) for probability in kept]}
            for name, say in methods.items():
                picks = [searched(say, first, candidates, true_ms, limit_ms) for first in firsts]
                found |= {key(name, total): [pick[total] for pick in picks] for total in TOTALS}
            for total in TOTALS:
                found[key("random", total)] = [
                    measured_at_random(true_ms, limit_ms, total, seed) for seed in range(seeds)
                ]
            say_progress(f"{device}, {limit_ms:g} ms")
            rows.append(described(device, limit_ms, found, true_ms, candidates.accuracy))
    names = ("candidates", "kept")
    return {
        "rows": rows,
        "accepted": dict(zip(names, accepted.tolist(), strict=True)),
        "accepted_near_the_limit": dict(zip(names, near.tolist(), strict=True)),
    }


def say_progress(what: str) -> None:
    """A line on standard error."""
    print(what, file=sys.stderr, flush=True)


def key(method: str, total: int) -> str:
    """The name of what a method found with so many measurements in all."""
    return f"{method} {total}"


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
        "| device | limit, ms | HELP: ms / % | kept | ten to learn from: ms / % | kept, of seeds "
        f"| {FIRST} to learn from, {LEARN - FIRST} chosen: ms / % | kept, of seeds | best there is, % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        help_ms, help_accuracy = row["help"]
        lines.append(
            f"| {row['device']} | {row['limit_ms']:g} | {help_ms:g} / {help_accuracy:g} | "
            f"{'yes' if help_ms <= row['limit_ms'] else 'no'} | {pick_columns(row['found']['sure'])} | "
            f"{pick_columns(row['found'][key('universal', LEARN)])} | {row['best'] or float('nan'):.1f} |"
        )
    for total in (TOTALS[0], TOTALS[-1]):
        lines += ["", f"| device | limit, ms | {' | '.join(f'{name}, {total}' for name in METHODS)} |"]
        lines += ["| --- | --- |" + " --- |" * len(METHODS)]
        for row in result["rows"]:
            cells = [f"{mean_feasible(row['found'][key(name, total)]):.2f}" for name in METHODS]
            lines.append(f"| {row['device']} | {row['limit_ms']:g} | {' | '.join(cells)} |")
    lines += ["", *compared(result["rows"])]
    for name in ("accepted", "accepted_near_the_limit"):
        count = result[name]
        lines.append(f"\n{name}: {count['kept']:.0f} of {count['candidates']:.0f} kept their limit.")
    return "\n".join(lines)


def pick_columns(found: Sequence[dict[str, Any] | None]) -> str:
    """Mean latency and accuracy of what was picked, and how many picks keep the limit, as two columns."""
    picks = [pick for pick in found if pick]
    ms, accuracy = (np.mean([pick[name] for pick in picks]) if picks else np.nan for name in ("ms", "accuracy"))
    return f"{ms:.1f} / {accuracy:.1f} | {sum(pick['kept'] for pick in picks)} of {len(found)}"


def compared(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Limits under which `universal` found a better cell than each other method, by measurements, in Markdown."""
    others = METHODS[1:]
    lines = [
        f"| measurements | {' | '.join(f'better than {name} (not worse)' for name in others)} |",
        "| --- |" + " --- |" * len(others),
    ]
    for total in TOTALS:
        means = {name: [mean_feasible(row["found"][key(name, total)]) for row in rows] for name in METHODS}
        pairs = {name: list(zip(means["universal"], means[name], strict=True)) for name in others}
        counts = [f"{sum(a > b for a, b in two)} ({sum(a >= b for a, b in two)})" for two in pairs.values()]
        lines.append(f"| {total} | {' | '.join(counts)} |")
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
