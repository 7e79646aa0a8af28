"""Ax over NAS-Bench-201: latency is an outcome with its standard error, and the limit an outcome constraint."""

from ax.api.client import Client as AxClient
from ax.api.configs import ChoiceParameterConfig
from cells import EDGES, OPERATORS, feasible, options, score, text_of

from latcast import Client
from latcast.adapters.ax import complete_batch, outcome_constraints

BATCH = 5
asked = options(__doc__)
ax = AxClient()
ax.configure_experiment(
    parameters=[
        ChoiceParameterConfig(name=f"edge{edge}", parameter_type="str", values=list(OPERATORS), is_ordered=False)
        for edge in range(EDGES)
    ]
)
with Client(asked.server) as client:
    limit = feasible(client, asked)
    ax.configure_optimization(objective="score", outcome_constraints=outcome_constraints(limit))
    for _ in range(max(1, asked.trials // BATCH)):
        complete_batch(
            ax,
            ax.get_next_trials(max_trials=BATCH),
            limit,
            text_of=lambda one: text_of([one[f"edge{edge}"] for edge in range(EDGES)]),
            objectives=lambda text: {"score": score(text)},
        )
found, outcome, *_ = ax.get_best_parameterization()
(score_mean, _), (latency_ms, latency_sem) = outcome["score"], outcome["latency_ms"]
cell = text_of([found[f"edge{edge}"] for edge in range(EDGES)])
print(f"{score_mean:5.1f}  {latency_ms:7.2f} ms  (± {latency_sem:.2f})  {cell}")
