"""Graph → the fused kernels that a CPU runtime will execute, their work and their shapes, without running anything.

`predict_kernels` tells the kernels, `kernel_table` the same as arrays, and `attribute_timings` brings measured kernel
times to them. `fusion` has the rules that do not depend on layouts, `layout` those of channel-blocked tensors,
`patterns` the decomposed operators that are found again, `work` what each kernel has to do.
"""

from predictors.features.kernels.attribution import attribute_timings
from predictors.features.kernels.cost.classes import CLASSES
from predictors.features.kernels.cost.shapes import SHAPE_FEATURES
from predictors.features.kernels.cost.work import Kernel
from predictors.features.kernels.rewrite.style import DEFAULT_STYLE, KernelStyle, Level
from predictors.features.kernels.table import (
    FEATURE_VERSION,
    WORK_FEATURES,
    KernelTable,
    column_places,
    kernel_table,
    predict_kernels,
    stack_tables,
)

__all__ = [
    "CLASSES",
    "DEFAULT_STYLE",
    "FEATURE_VERSION",
    "SHAPE_FEATURES",
    "WORK_FEATURES",
    "Kernel",
    "KernelStyle",
    "KernelTable",
    "Level",
    "attribute_timings",
    "column_places",
    "kernel_table",
    "predict_kernels",
    "stack_tables",
]
