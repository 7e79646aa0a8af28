"""Times many sessions in turns, so that whatever the host does meanwhile meets all of them alike."""

from collections.abc import Mapping, Sequence
from math import ceil

from latcast.schema import quantile
from profilers.backends.base import Feeds, Session
from profilers.timing.loop import Clock, take_sample

__all__ = ["quiet_ms", "run_rounds", "warm_up"]

WARMUP_RUNS = 3
WARMUP_MS = 8.0
BLOCK_MS = 2.0
"""A sample is a block of runs at least this long."""
LONGEST_BLOCK = 1000
LEAST_ROUNDS, MOST_ROUNDS = 3, 40
QUIET_QUANTILE = 0.25
"""Disturbances only ever add time: the lower quartile repeats better than the median, and than the least of a lucky
process."""


def warm_up(session: Session, feeds: Feeds, clock: Clock) -> float:
    """Run a session until it has run `WARMUP_RUNS` times and `WARMUP_MS`; the quickest of its last runs in ms."""
    taken: list[float] = []
    while len(taken) < WARMUP_RUNS or (sum(taken) < WARMUP_MS and len(taken) < LONGEST_BLOCK):
        taken.append(take_sample(session, feeds, clock))
    return min(taken[-WARMUP_RUNS:])


def run_rounds(
    sessions: Mapping[str, tuple[Session, Feeds]], expected_ms: Mapping[str, float], *, seconds: float, clock: Clock
) -> dict[str, list[float]]:
    """Samples in ms of every session, one for each round.

    Args:
        sessions: warm ones, with what they are fed.
        expected_ms: time of one run, as `warm_up` gave it.
        seconds: after this time no round begins, once there were `LEAST_ROUNDS`.
        clock: nanoseconds.
    """
    blocks = {name: _block_length(expected_ms[name]) for name in sessions}
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    deadline = clock() + seconds * 1e9
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and clock() >= deadline:
            break
        for name, (session, feeds) in sessions.items():
            session.run(feeds)  # the others have taken its place in the caches
            samples[name].append(take_sample(session, feeds, clock, blocks[name]))
    return samples


def _block_length(run_ms: float) -> int:
    return max(1, min(LONGEST_BLOCK, ceil(BLOCK_MS / max(run_ms, 1e-6))))


def quiet_ms(times_ms: Sequence[float]) -> float:
    """The lower quartile of a probe's rounds, or of what several processes say of it."""
    return quantile(sorted(times_ms), QUIET_QUANTILE)
