"""Regularised evolution over NAS-Bench-201 under a limit on latency: each generation is one call."""

from cells import SPACE, feasible, options, score

from latcast import Client
from latcast.adapters.evolution import evolve
from profilers.search_spaces import get_space

asked = options(__doc__)
with Client(asked.server) as client:
    found = evolve(
        get_space(SPACE),
        feasible(client, asked),
        lambda texts: [score(text) for text in texts],
        population=40,
        generations=max(1, asked.trials // 40),
    )
for candidate in found[:3]:
    print(f"{candidate.score:5.1f}  {candidate.latency_ms:7.2f} ms  {candidate.text}")
