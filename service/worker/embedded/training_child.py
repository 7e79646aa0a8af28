"""The process that `latcast serve` starts while trainings wait; it ends by itself when none does."""

import sys
from functools import partial

from service.worker.embedded.process import run_beside
from service.worker.training.worker import work

__all__ = ["main"]


def main() -> int:
    """Train what waits; the exit code."""
    return run_beside(partial(work, once=True))


if __name__ == "__main__":
    sys.exit(main())
