"""How long work tells of its progress, here and in the packages above."""

from collections.abc import Callable

__all__ = ["Progress", "no_progress", "part_of_progress"]

Progress = Callable[[float, str], None]
"""Called with the share done, 0–1, and what is being done."""


def part_of_progress(progress: Progress, begin: float, end: float) -> Progress:
    """The progress of a part of the work, which takes from one share of the whole to another."""
    return lambda share, what: progress(begin + (end - begin) * share, what)


def no_progress(*report: object) -> None:
    """Ignore a report of progress: the default where no caller listens."""
