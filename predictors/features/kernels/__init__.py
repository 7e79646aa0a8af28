"""Graph → the fused kernels that a CPU runtime will execute, their work and their shapes, without running anything.

`predict_kernels` tells the kernels, `kernel_table` the same as arrays, and `attribute_timings` brings measured kernel
times to them. `traits` reads how a target executes graphs, `rewrite` has the rules by which runtimes rewrite graphs,
and `cost` what each kernel has to do.
"""

from predictors.features.kernels.attribution import attribute_timings
from predictors.features.kernels.cost.classes import CLASSES
from predictors.features.kernels.cost.shapes import SHAPE_FEATURES
from predictors.features.kernels.cost.work import Kernel
from predictors.features.kernels.table import (
    FEATURE_VERSION,
    WORK_FEATURES,
    KernelTable,
    column_places,
    kernel_names,
    kernel_operators,
    kernel_table,
    kernels_feature,
    names_feature,
    predict_kernels,
    stack_tables,
)
from predictors.features.kernels.traits import DEFAULT_TRAITS, ExecutionTraits, Level, RewriteRules

__all__ = [
    "CLASSES",
    "DEFAULT_TRAITS",
    "FEATURE_VERSION",
    "SHAPE_FEATURES",
    "WORK_FEATURES",
    "ExecutionTraits",
    "Kernel",
    "KernelTable",
    "Level",
    "RewriteRules",
    "attribute_timings",
    "column_places",
    "kernel_names",
    "kernel_operators",
    "kernel_table",
    "kernels_feature",
    "names_feature",
    "predict_kernels",
    "stack_tables",
]
