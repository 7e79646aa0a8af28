"""The largest once-for-all networks that this machine runs within a budget: adapt, search, measure the best, draw.

A search finds what is forecast too fast, if anything is. So it searches twice: what it measures of the best ones the
first time, forecasts of the second time rest on. Multiply-accumulates stand in for accuracy, since they need no
training. Start `latcast serve` and `latcast agent`.
"""

import argparse
import os
from pathlib import Path

from latcast import Client, Feasible
from latcast.adapters.evolution import evolve
from predictors.evaluation.plots import curves
from profilers.search_spaces import get_space

SPACE = "ofa_mbv3"
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", default=os.environ.get("LATCAST_SERVER", "http://127.0.0.1:8321"))
parser.add_argument("--target", help="id, device's name or words of its label; else the only one")
parser.add_argument("--limit-ms", type=float, default=30.0)
parser.add_argument("--probability", type=float, default=0.9)
parser.add_argument("--trials", type=int, default=400, help="networks that are forecast, about")
parser.add_argument("--samples", type=int, default=10, help="networks that are measured to adapt; 0 adapts nothing")
parser.add_argument("--measure", type=int, default=5, help="of the best networks, how many are measured each time")
parser.add_argument("--rounds", type=int, default=2, help="how often it searches")
parser.add_argument("--svg", type=Path)
asked = parser.parse_args()
LEARN_S = 30.0

with Client(asked.server) as client:
    target = client.find_target(asked.target)
    if asked.samples:
        job = client.adapt(target.id, samples=asked.samples, pool={"space": SPACE})
        print(f"adapting: {client.wait(job['id'])['state']}")
    population = max(10, asked.trials // 10)
    limit = Feasible(target, asked.limit_ms, asked.probability, space=SPACE)
    for seed in range(asked.rounds):
        found = evolve(
            get_space(SPACE),
            limit,
            lambda texts: target.work(texts, space=SPACE)["macs"],
            population=population,
            generations=max(1, asked.trials // population - 1),
            tournament=min(10, population // 2),
            seed=seed,
        )
        known = target.predict([candidate.text for candidate in found], space=SPACE).measured
        best = [candidate for candidate, old in zip(found, known, strict=True) if not old][: max(1, asked.measure)]
        texts = [candidate.text for candidate in best]
        if asked.measure:
            target.measure(texts, space=SPACE, learn_s=LEARN_S)
        known = target.predict(texts, space=SPACE)
        print(f"search {seed + 1}:")
        for place, candidate in enumerate(best):
            latency, now = candidate.latency_ms, known.latency_ms[place]
            measured = f"  measured {now:7.2f} ms  ({latency / now - 1:+.1%})" if known.measured[place] else ""
            print(f"{candidate.score / 1e6:7.1f} M  forecast {latency:7.2f} ms{measured}  {candidate.text}")

if asked.svg:
    series = {"tried": [(one.latency_ms, one.score / 1e6) for one in found]}
    series["best, measured"] = [(float(known.latency_ms[i]), one.score / 1e6) for i, one in enumerate(best)]
    chart = curves(
        f"{SPACE} within {asked.limit_ms:g} ms",
        "million MACs",
        "latency, ms",
        series,
        joined=False,
        limit=asked.limit_ms,
    )
    asked.svg.write_text(chart)
