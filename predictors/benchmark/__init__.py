"""The benchmark: every predictor on the published tables by one protocol."""

from predictors.benchmark.execution import assemble, run
from predictors.benchmark.protocol import PROTOCOLS
from predictors.benchmark.scoring import METRICS
from predictors.benchmark.store import Store
from predictors.benchmark.tasks import DEFAULT_SOURCES, DEFAULT_TARGETS, SUITES, Task
from predictors.benchmark.units import Contender, Unit, plan

__all__ = [
    "DEFAULT_SOURCES",
    "DEFAULT_TARGETS",
    "METRICS",
    "PROTOCOLS",
    "SUITES",
    "Contender",
    "Store",
    "Task",
    "Unit",
    "assemble",
    "plan",
    "run",
]
