"""A generation of pymoo is one call, and its limits are columns of G."""

from typing import Any

import numpy as np
import pytest

from latcast.adapters.pymoo import latency_problem
from latcast.constraints import Feasible
from tests.latcast.doubles import FakeTarget

pytest.importorskip("pymoo")


def test_a_generation_is_forecast_in_one_call() -> None:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.optimize import minimize

    target = FakeTarget(float, width=1.001)

    def objectives(texts: Any) -> list[float]:
        return [-float(text) for text in texts]

    problem = latency_problem(
        Feasible(target, 5.0, space="toy", limits={"macs": 1.0}),  # type: ignore[arg-type]
        decode=lambda row: str(int(row[0])), objectives=objectives, lower=[1], upper=[9], latency_too=False,
    )  # fmt: skip
    assert (problem.n_obj, problem.n_ieq_constr) == (1, 2)
    result = minimize(problem, GA(pop_size=20), ("n_gen", 5), seed=1, verbose=False)
    assert int(result.X[0]) == 4
    assert target.calls <= 6


def test_latency_is_the_last_objective() -> None:
    target = FakeTarget(float)
    problem = latency_problem(
        Feasible(target, 5.0, space="toy"),  # type: ignore[arg-type]
        decode=lambda row: str(int(row[0])), objectives=lambda texts: [[1.0, 2.0]] * len(texts), lower=[1], upper=[9],
    )  # fmt: skip
    out = problem.evaluate(np.array([[2.0], [9.0]]), return_as_dictionary=True)
    assert out["F"].tolist() == [[1.0, 2.0, 2.0], [1.0, 2.0, 9.0]]
    assert (out["G"][:, 0] <= 0).tolist() == [True, False]
