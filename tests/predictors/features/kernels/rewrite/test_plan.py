"""A plan knows constants, readers and steps."""

from pathlib import Path

import onnx
import pytest
from onnx import helper

from predictors.features.kernels.rewrite.plan import FusionPlan
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    Model,
    executed,
    predicted,
    silu,
)


@pytest.mark.parametrize("version", [3, 9])
def test_weights_that_may_be_overridden_are_no_constants(version: int, tmp_path: Path) -> None:
    model = Model()
    constant = model.build(model("Relu", model.batch_norm(silu(model), 16)))
    content = onnx.load_from_string(constant)
    for tensor in content.graph.initializer:
        content.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    content.ir_version = version
    found = predicted(content.SerializeToString())
    assert found == executed(content.SerializeToString(), tmp_path)
    assert (found == predicted(constant)) == (version == 3)


def chain_plan(*operators: str) -> FusionPlan:
    model = Model()
    value = model.input(2, 8)
    for operator in operators:
        value = model(operator, value)
    return FusionPlan(load_graph(model.build(value)))


def test_merged_steps_are_one_that_reads_and_writes_what_they_did() -> None:
    plan = chain_plan("Relu", "Tanh", "Exp")
    first, second, third = plan.steps()
    merged = plan.merge([first, second], main=first, last=second, operator="Both")
    assert plan.steps() == [merged, third]
    assert (merged.operator, merged.nodes) == ("Both", [0, 1])
    assert (merged.inputs, merged.outputs) == ([plan.graph.inputs[0]], third.inputs)
    assert plan.producer(third.inputs[0]) is merged
    assert plan.sole_reader(merged) is third
    assert not second.alive


def test_bypassed_steps_are_free_and_their_readers_read_on() -> None:
    plan = chain_plan("Relu", "Tanh", "Exp")
    first, second, third = plan.steps()
    plan.bypass(second, first.outputs[0])
    assert third.inputs == first.outputs
    assert plan.free == {1}
    assert plan.steps_of({"Tanh"}) == []
    assert list(plan.live([first, second, third])) == [first, third]


def test_folded_steps_give_constants() -> None:
    plan = chain_plan("Relu", "Tanh")
    first, second = plan.steps()
    plan.fold(first)
    assert plan.is_constant(second.inputs[0])
    assert plan.producer(second.inputs[0]) is None
    assert plan.steps() == [second]


def test_results_of_the_graph_have_another_reader() -> None:
    plan = chain_plan("Relu", "Tanh")
    first, second = plan.steps()
    assert plan.sole_reader(first) is second
    assert plan.sole_reader(second) is None
    plan.discard_unread(second)
    assert second.alive, "the graph gives its result back"
