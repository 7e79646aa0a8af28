"""Pauses between attempts that grow, and differ from agent to agent."""

import random

__all__ = ["Backoff"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LEAST_SHARE = 0.5
"""A pause is a random share of its length, at least this much: agents that lost a service do not all return at once."""


class Backoff:
    """The pauses of one series of attempts: each about twice as long as the one before, up to half a minute."""

    def __init__(self) -> None:
        self._length_s = FIRST_PAUSE_S

    def pause_s(self) -> float:
        """How long to wait before the next attempt, in seconds."""
        length_s = min(self._length_s, LONGEST_PAUSE_S)
        self._length_s = 2 * length_s
        return length_s * random.uniform(LEAST_SHARE, 1.0)
