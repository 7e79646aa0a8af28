"""pymoo: a vectorised problem whose generations are forecast in one call each."""

from collections.abc import Callable, Sequence
from typing import Any

from latcast.constraints import Feasible

__all__ = ["latency_problem"]


def latency_problem(
    feasible: Feasible,
    *,
    decode: Callable[[Any], str],
    objectives: Callable[[Sequence[str]], Any],
    lower: Sequence[float],
    upper: Sequence[float],
    latency_too: bool = True,
) -> Any:
    """A `pymoo.core.problem.Problem` over networks.

    Args:
        feasible: the limits; each is a column of `out["G"]`.
        decode: the network that a row of variables, float64 (variables,), stands for.
        objectives: what else is minimised, one row for each network: (n,) or (n, objectives).
        lower: smallest value of each variable.
        upper: largest value of each variable.
        latency_too: whether the latency is minimised as well, as the last objective.

    Raises:
        ImportError: pymoo is not installed.
    """
    import numpy as np
    from pymoo.core.problem import Problem

    width = int(np.atleast_2d(np.asarray(objectives([decode(np.asarray(lower))]), dtype=float).T).shape[0])

    class LatencyProblem(Problem):  # type: ignore[misc]  # pymoo has no types
        """Networks with limits."""

        def __init__(self) -> None:
            super().__init__(
                n_var=len(lower),
                n_obj=width + latency_too,
                n_ieq_constr=1 + len(feasible.limits),
                xl=np.asarray(lower, dtype=float),
                xu=np.asarray(upper, dtype=float),
            )

        def _evaluate(self, x: Any, out: Any, *_arguments: Any, **_options: Any) -> None:
            texts = [decode(row) for row in x]
            judgement = feasible.judge(texts)
            columns = [np.asarray(objectives(texts), dtype=float).reshape(len(texts), width)]
            if latency_too:
                columns.append(np.asarray(judgement.forecasts.latency_ms, dtype=float)[:, None])
            out["F"] = np.hstack(columns)
            out["G"] = np.column_stack([np.asarray(column) for column in judgement.violations.values()])

    return LatencyProblem()
