"""NSGA-II over NAS-Bench-201: the front of score and latency under a limit; each generation is one call."""

from cells import EDGES, OPERATORS, feasible, options, score, text_of
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.optimize import minimize

from latcast import Client
from latcast.adapters.pymoo import latency_problem

POPULATION = 40
asked = options(__doc__)
with Client(asked.server) as client:
    problem = latency_problem(
        feasible(client, asked),
        decode=lambda row: text_of([min(int(value), len(OPERATORS) - 1) for value in row]),
        objectives=lambda texts: [-score(text) for text in texts],
        lower=[0.0] * EDGES,
        upper=[len(OPERATORS) - 1e-6] * EDGES,
    )
    generations = max(1, asked.trials // POPULATION)
    result = minimize(problem, NSGA2(pop_size=POPULATION), ("n_gen", generations), seed=0, verbose=False)
rows = [] if result.F is None else sorted({(round(ms, 2), -negative) for negative, ms in result.F})
for ms, points in rows:
    print(f"{points:5.1f}  {ms:7.2f} ms")
