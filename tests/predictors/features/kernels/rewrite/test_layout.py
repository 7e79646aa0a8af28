"""Convolutions run on channel blocks, 8-bit ones with channels last, and conversions stand at the borders."""

import pytest

from predictors.features.kernels import ExecutionTraits, Level, predict_kernels
from predictors.features.kernels.rewrite.fusion import fuse
from predictors.features.kernels.rewrite.layout import BLOCK, assign_layouts
from predictors.features.kernels.rewrite.plan import FusionPlan
from profilers.onnx_graph import load_graph
from profilers.quantisation import prepared
from tests.predictors.features.kernels.structures import Model, partial_stage, residual_blocked


def laid_out(content: bytes, level: Level = Level.ALL) -> tuple[FusionPlan, list[bool]]:
    """The plan, and of each conversion in order whether it is into the special layout."""
    plan = FusionPlan(load_graph(content))
    fuse(plan, level)
    return plan, [reorder.special for reorder in assign_layouts(plan, level)]


def test_blocks_are_entered_once_and_left_once() -> None:
    model = Model()
    plan, conversions = laid_out(model.build(residual_blocked(model)))
    convolutions = [step for step in plan.steps() if step.operator in {"Conv", "FusedConv"}]
    assert all(step.blocked for step in convolutions)
    assert conversions == [True, False]


@pytest.mark.parametrize("level", [Level.DISABLED, Level.BASIC, Level.EXTENDED])
def test_lower_levels_leave_layouts_alone(level: Level) -> None:
    model = Model()
    plan, conversions = laid_out(model.build(residual_blocked(model)), level)
    assert conversions == []
    assert not any(step.blocked for step in plan.steps())


def test_few_channels_are_read_plain_and_written_in_blocks() -> None:
    model = Model()
    plan, conversions = laid_out(model.build(model.conv(model.input(1, 3, 8, 8), 3, BLOCK)))
    assert plan.steps()[0].blocked
    assert conversions == [False]


def test_channels_that_fill_no_alignment_stay_plain() -> None:
    model = Model()
    plan, conversions = laid_out(model.build(model.conv(model.input(1, 18, 8, 8), 18, 18)))
    assert not plan.steps()[0].blocked
    assert conversions == []


def test_8_bit_convolutions_have_their_channels_last() -> None:
    model = Model()
    graph = load_graph(prepared(model.build(partial_stage(model)), "int8_static"))
    kinds = [kernel.kind for kernel in predict_kernels(graph)]
    assert "reorder" not in kinds
    assert kinds.count("transpose") == 2
    below = [kernel.kind for kernel in predict_kernels(graph, ExecutionTraits(optimisation="extended"))]
    assert "transpose" not in below
