"""Blocks, columns and elements are counted as kernels see them."""

import numpy as np
import pytest

from predictors.features.kernels.cost.shapes import (
    SHAPE_FEATURES,
    count_elements,
    padded_elements,
    whole_blocks,
    whole_columns,
)
from predictors.features.kernels.rewrite.plan import FusionPlan
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import Model


@pytest.mark.parametrize(("channels", "padded"), [(1, 16), (16, 16), (17, 32), (48, 48)])
def test_channels_fill_whole_blocks(channels: int, padded: int) -> None:
    assert whole_blocks(channels) == padded


def test_columns_never_shrink_and_waste_little_when_there_are_many() -> None:
    columns = np.array([1, 5, 16, 17, 100, 1000])
    padded = np.array([whole_columns(int(count)) for count in columns])
    assert (padded >= columns).all()
    assert padded[-1] < 1.05 * columns[-1]


def test_elements_of_a_step_are_padded_where_it_works_on_blocks() -> None:
    model = Model()
    plan = FusionPlan(load_graph(model.build(model.conv(model.input(2, 20, 4, 4), 20, 20))))
    step = plan.steps()[0]
    assert count_elements(plan, step) == padded_elements(plan, step) == 2 * 20 * 16
    step.blocked = True
    assert count_elements(plan, step) == 2 * 20 * 16
    assert padded_elements(plan, step) == 2 * 32 * 16


def test_features_have_names_of_their_own() -> None:
    assert len(set(SHAPE_FEATURES)) == len(SHAPE_FEATURES)
