"""Names of the shape features, and what the descriptions of all kernels share."""

from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = ["SHAPE_FEATURES", "Shape", "Work", "count_elements", "padded_elements", "whole_blocks", "whole_columns"]

Work = tuple[float, float]
"""Multiply-accumulates, and element-wise operations besides."""

Shape = dict[str, float]
"""Value of each of `SHAPE_FEATURES`."""

SHAPE_FEATURES: tuple[str, ...] = (
    "batch", "rows", "columns", "depth", "groups", "width", "window", "window_width", "stride", "dilation", "padding",
    "channels_in", "channels_out", "axis", "run", "rank", "reads", "writes", "blocked", "activation", "residual",
    "element_cost", "transposed", "constant_weights", "variant", "parts",
)  # fmt: skip
"""Names of `Kernel.shape`: sizes in elements, counts, and flags."""


def count_elements(plan: FusionPlan, step: Step) -> float:
    """Elements of the step's first output."""
    return float(plan.spec(step.outputs[0]).elements) if step.outputs and step.outputs[0] >= 0 else 0.0


def padded_elements(plan: FusionPlan, step: Step) -> float:
    """Elements of the first output that the step computes: in channel blocks, those that pad the last one as well."""
    elements = count_elements(plan, step)
    out = plan.shape(step.outputs[0]) if step.blocked else ()
    return elements / out[1] * whole_blocks(out[1]) if len(out) > 1 and out[1] else elements


def whole_blocks(channels: int) -> int:
    """Channels, padded to whole blocks."""
    return -(-channels // BLOCK) * BLOCK


def whole_columns(columns: int) -> int:
    """Columns of a matrix product, padded to whole vectors; a single one has a routine of its own, worth about five."""
    return 5 if columns == 1 else -(-columns // BLOCK) * BLOCK
