"""Ray Tune over NAS-Bench-201: workers ask for the latency and train only what keeps the limit."""

from cells import EDGES, OPERATORS, feasible, options, score, text_of
from ray import tune

from latcast import Client
from latcast.adapters.ray_tune import trainable

asked = options(__doc__, trials=40)  # each of them starts a process
with Client(asked.server) as client:
    tried = trainable(
        feasible(client, asked),
        text_of=lambda config: text_of([config[f"edge{edge}"] for edge in range(EDGES)]),
        train=lambda _config, text: {"score": score(text)},
        metric="score",
        worst=0.0,
    )
    results = tune.Tuner(
        tried,
        param_space={f"edge{edge}": tune.choice(list(OPERATORS)) for edge in range(EDGES)},
        tune_config=tune.TuneConfig(metric="score", mode="max", num_samples=asked.trials),
    ).fit()
best = results.get_best_result()
print(f"{best.metrics['score']:5.1f}  {best.metrics['latency_ms']:7.2f} ms  {best.config}")
