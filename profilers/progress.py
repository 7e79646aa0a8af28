"""How long work tells of its progress, here and in the packages above."""

from collections.abc import Callable

__all__ = ["Progress", "no_progress"]

Progress = Callable[[float, str], None]
"""Called with the share done, 0–1, and what is being done."""


def no_progress(*report: object) -> None:
    """Ignore a report of progress: the default where no caller listens."""
