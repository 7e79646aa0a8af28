"""FBNet (Wu et al., CVPR 2019, https://arxiv.org/abs/1812.03443) as features in which latency is a sum.

Every (position, block) is a column, and every prior component a covariance over these 198 costs.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.kinds.universal.cells.feature_space import FeatureSpace, one_hot
from profilers.search_spaces.fbnet import (
    BLOCKS,
    IMAGE_SHAPE,
    LAYERS,
    OPERATORS,
    POSITIONS,
    STAGES,
    STEM_CHANNELS,
    FBNet,
)

__all__ = ["FBNET", "block_quantities"]

_CODES = {name: code for code, name in enumerate(OPERATORS)}
_STAGE_REACH = 1.5
"""Stages over which a deviation from the mean profile fades (standard deviation of a Gaussian)."""


@lru_cache(maxsize=65_536)
def _codes(text: str) -> bytes:
    codes = [_CODES.get(block, -1) for block in text.split("|")]
    if len(codes) != POSITIONS or min(codes) < 0:
        return _codes(FBNet().parse(text).text)  # of indices; else it says what is wrong
    return bytes(codes)


def _features(texts: Sequence[str]) -> FloatArray:
    """One-hot blocks by position, float64 (n, 198)."""
    flat = np.frombuffer(b"".join(map(_codes, texts)), dtype=np.uint8)
    return one_hot(flat.reshape(len(texts), POSITIONS), len(OPERATORS))


def block_quantities() -> FloatArray:
    """What each block at each position has to do, float64 (198, 15).

    Columns: multiply-adds of pointwise, of 3×3 depthwise and of 5×5 depthwise convolutions; parameters; activations
    moved; one for a block that computes, for a channel shuffle, for a skip that projects, for a residual addition;
    then the square roots of the first five, for devices that small work does not fill.
    """
    rows, side, before = list[list[float]](), IMAGE_SHAPE[-1], STEM_CHANNELS
    for channels, stride in LAYERS:
        rows += [_quantities(name, side, before, channels, stride) for name in OPERATORS]
        side, before = side // stride, channels
    table = np.array(rows)
    return np.hstack([table, np.sqrt(table[:, :5])])


def _quantities(name: str, side: int, before: int, after: int, stride: int) -> list[float]:
    pixels, out, same = side**2, (side // stride) ** 2, stride == 1 and before == after
    block = BLOCKS[name]
    if block is None:
        moved = [before * after * out, 0, 0, before * after, out * after + pixels * before, 0, 0, 1, 0]
        return [0.0] * len(moved) if same else [float(value) for value in moved]
    hidden = before * block.expansion
    pointwise = (before * hidden * pixels + hidden * after * out) / block.groups
    depthwise = hidden * block.kernel**2 * out
    parameters = (before * hidden + hidden * after) / block.groups + hidden * block.kernel**2
    traffic = pixels * (before + 2 * hidden) + out * (2 * hidden + after)
    small = block.kernel == 3
    work = [pointwise, depthwise * small, depthwise * (not small), parameters, traffic]
    return [*map(float, work), 1.0, float(block.groups > 1), 0.0, float(same)]


def _work(quantities: FloatArray) -> FloatArray:
    """What any device has to pay for: pointwise and depthwise work, traffic, kernels. Few, so that few samples do."""
    depthwise = quantities[:, 1] + quantities[:, 2]
    return np.stack([quantities[:, 0], depthwise, quantities[:, 4], quantities[:, 5]], axis=1)


def _operator_work(quantities: FloatArray) -> FloatArray:
    """What each operator's work costs where the operator alone is dear: (198, 9), its usual work at each position."""
    return np.asarray(_usual_work(quantities)[:, None] * _operator_columns())


def _operator_quantities(quantities: FloatArray) -> FloatArray:
    """The same by multiply-adds, traffic and one for each block, (198, 27)."""
    parts = [quantities[:, :3].sum(axis=1), quantities[:, 4], quantities[:, 5]]
    return np.hstack([part[:, None] * _operator_columns() for part in parts])


def _usual_work(quantities: FloatArray) -> FloatArray:
    """Work of each block on a device on which multiply-adds, traffic and launches cost as much on average: (198,)."""
    parts = np.stack([quantities[:, :3].sum(axis=1), quantities[:, 4], quantities[:, 5]], axis=1)
    return np.asarray((parts / parts.mean(axis=0)).sum(axis=1))


def _operator_columns() -> FloatArray:
    return np.tile(np.eye(len(OPERATORS)), (POSITIONS, 1))


def _same_operator() -> FloatArray:
    operator = np.tile(np.arange(len(OPERATORS)), POSITIONS)
    return np.asarray(operator[:, None] == operator, dtype=np.float64)


def _near_stage() -> FloatArray:
    stages = np.repeat(np.arange(len(STAGES)), [blocks for _, blocks, _ in STAGES])
    stage = np.repeat(stages, len(OPERATORS)).astype(np.float64)
    apart: FloatArray = (stage[:, None] - stage) / _STAGE_REACH
    return np.asarray(np.exp(-0.5 * apart**2), dtype=np.float64)


def _all_measurable(texts: Sequence[str]) -> NDArray[np.bool_]:
    return np.ones(len(texts), dtype=bool)


FBNET = FeatureSpace(
    name=FBNet.name,
    features=_features,
    measurable=_all_measurable,
    places=slice(0, POSITIONS * len(OPERATORS)),
    factors={
        "work": _work(block_quantities()),
        "quantities": block_quantities(),
        "blocks": np.eye(POSITIONS * len(OPERATORS)),
    },
    masks={"operators": _same_operator(), "stages": _near_stage()},
    rule_factors={
        "operator work": _operator_work(block_quantities()),
        "operator quantities": _operator_quantities(block_quantities()),
    },
    rules=(("operator work",), ("operator quantities",)),
    details=("blocks",),
)
