"""The benchmark on search spaces: every predictor on the published tables, by one protocol."""

from predictors.evaluation.nas.execution import assemble, run
from predictors.evaluation.nas.protocol import PROTOCOLS
from predictors.evaluation.nas.scoring import METRICS
from predictors.evaluation.nas.tasks import DEFAULT_SOURCES, DEFAULT_TARGETS, SUITES, Task
from predictors.evaluation.nas.units import Contender, Unit, plan

__all__ = [
    "DEFAULT_SOURCES",
    "DEFAULT_TARGETS",
    "METRICS",
    "PROTOCOLS",
    "SUITES",
    "Contender",
    "Task",
    "Unit",
    "assemble",
    "plan",
    "run",
]
