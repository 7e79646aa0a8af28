"""How often a runtime runs while its profiler is on."""

import time
from collections.abc import Callable

__all__ = ["PROFILED_WARMUP_RUNS", "run_profiled"]

PROFILED_WARMUP_RUNS = 3
"""Runs at the beginning whose kernel times are not evaluated."""

LEAST_RUNS, MOST_RUNS, SECONDS = 5, 40, 0.4


def run_profiled(run: Callable[[], object]) -> int:
    """Run 5 to 40 times, for 0.4 s where that allows it.

    Returns:
        How often it ran.
    """
    deadline = time.monotonic() + SECONDS
    for done in range(1, MOST_RUNS + 1):
        run()
        if done >= LEAST_RUNS and time.monotonic() > deadline:
            return done
    return MOST_RUNS
