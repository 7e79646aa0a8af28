"""How often a runtime runs while its profiler is on."""

import time
from collections.abc import Callable

__all__ = ["MOST_RUNS", "PROFILED_WARMUP_RUNS", "run_profiled"]

PROFILED_WARMUP_RUNS = 3
"""Runs at the beginning whose kernel times are not evaluated."""

LEAST_RUNS, MOST_RUNS, SECONDS = 5, 40, 0.4


def run_profiled(run: Callable[[], object], *, most: int = MOST_RUNS) -> int:
    """Run 5 to 40 times, for 0.4 s where that allows it.

    Args:
        run: runs once.
        most: highest number of runs, where the profiler's records have room for fewer.

    Returns:
        How often it ran.
    """
    deadline = time.monotonic() + SECONDS
    for done in range(1, most + 1):
        run()
        if done >= LEAST_RUNS and time.monotonic() > deadline:
            return done
    return most
