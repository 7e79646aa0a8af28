"""Operators are fused as far as the runtime's level goes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from predictors.features.kernels import (
    ExecutionTraits,
    Level,
)
from tests.predictors.features.kernels.structures import (
    Model,
    executed,
    grouped,
    padded,
    predicted,
    residual_plain,
    silu,
    squeeze_excite,
    transformer_block,
)


@pytest.mark.parametrize("level", [Level.BASIC, Level.EXTENDED])
@pytest.mark.parametrize("structure", [residual_plain, squeeze_excite, silu, transformer_block, padded, grouped])
def test_kernels_follow_the_level(structure: Callable[[Model], str], level: Level, tmp_path: Path) -> None:
    model = Model()
    content = model.build(structure(model))
    assert predicted(content, ExecutionTraits(optimisation=level.name)) == executed(content, tmp_path, level)
