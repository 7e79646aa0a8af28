"""Optuna over NAS-Bench-201 under a limit on latency: trials are asked for in batches, each of which is one call."""

import optuna
from cells import EDGES, OPERATORS, feasible, options, score, text_of

from latcast import Client
from latcast.adapters.optuna import ask_batch, constraints_of

BATCH = 20


def cell(trial: optuna.Trial) -> str:
    """The cell that a trial suggests."""
    return text_of([trial.suggest_categorical(f"edge{edge}", OPERATORS) for edge in range(EDGES)])


asked = options(__doc__)
optuna.logging.set_verbosity(optuna.logging.WARNING)
old = {} if hasattr(optuna.Trial, "set_constraint") else {"constraints_func": constraints_of}
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, **old))
with Client(asked.server) as client:
    limit = feasible(client, asked)
    for _ in range(max(1, asked.trials // BATCH)):
        trials, texts, judgement = ask_batch(study, BATCH, limit, cell)
        for trial, text, keeps in zip(trials, texts, judgement.feasible, strict=True):
            study.tell(trial, score(text) if keeps else 0.0)  # what is too slow is not trained
best = study.best_trial
cell_found = text_of([best.params[f"edge{edge}"] for edge in range(EDGES)])
print(f"{best.value:5.1f}  {best.user_attrs['latency_ms']:7.2f} ms  {cell_found}")
