"""Decomposed operators are found again."""

from pathlib import Path

import pytest

from predictors.features.kernels.rewrite.patterns import find_pattern
from predictors.features.kernels.rewrite.plan import FusionPlan, Step
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    Model,
    convnext_norm,
    executed,
    predicted,
)


@pytest.mark.parametrize("opset", [16, 17])
def test_a_normalisation_between_transposes_is_found_where_it_is_an_operator_of_the_opset(
    opset: int, tmp_path: Path
) -> None:
    model = Model(opset=opset)
    content = model.build(convnext_norm(model))
    assert predicted(content) == executed(content, tmp_path)


def test_a_normalisation_between_transposes_falls_apart() -> None:
    model = Model(opset=16)
    found = predicted(model.build(convnext_norm(model)))
    assert found["Transpose"] == found["LayerNormalization"] == 0
    assert found["ReduceMean"] == 2


def find_silu(model: Model, *results: str) -> tuple[FusionPlan, tuple[list[Step], int] | None]:
    plan = FusionPlan(load_graph(model.build(*results)))
    last = next(step for step in plan.steps() if step.operator == "Mul")
    return plan, find_pattern(plan, last, ("Mul", "x", ("Sigmoid", "x")))


@pytest.mark.parametrize("swapped", [False, True])
def test_operators_that_commute_match_either_way(swapped: bool) -> None:
    model = Model()
    x = model.input(2, 8)
    factors = (x, model("Sigmoid", x))
    plan, match = find_silu(model, model("Mul", *(factors[::-1] if swapped else factors)))
    assert match is not None
    steps, bound = match
    assert {step.operator for step in steps} == {"Mul", "Sigmoid"}
    assert bound == plan.graph.inputs[0]


def test_one_name_binds_one_tensor() -> None:
    model = Model()
    _, match = find_silu(model, model("Mul", model.input(2, 8), model("Sigmoid", model.input(2, 8))))
    assert match is None


def test_results_inside_a_match_may_not_be_read_outside() -> None:
    model = Model()
    x = model.input(2, 8)
    gate = model("Sigmoid", x)
    _, match = find_silu(model, model("Mul", x, gate), model("Tanh", gate))
    assert match is None
