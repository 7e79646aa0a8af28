"""How often somebody may call, and how much he may ask for: a token bucket for each key or address."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from latcast.errors import RateLimitedError
from profilers.caching import Cache

__all__ = ["Buckets", "KeepsBuckets", "RateLimiter"]

MOST_CALLERS = 10_000


class KeepsBuckets(Protocol):
    """(tokens, when they were counted) of callers."""

    def change(self, caller: str, change: Callable[[tuple[float, float] | None], tuple[float, float]]) -> None:
        """Put what `change` makes of a caller's bucket in its place; nobody else changes it meanwhile."""
        ...


class Buckets:
    """Buckets of this process. Thread-safe."""

    def __init__(self) -> None:
        self._kept: Cache[str, tuple[float, float]] = Cache(MOST_CALLERS)
        self._lock = threading.Lock()

    def change(self, caller: str, change: Callable[[tuple[float, float] | None], tuple[float, float]]) -> None:
        """Put what `change` makes of a caller's bucket in its place; nobody else changes it meanwhile."""
        with self._lock:
            self._kept.put(caller, change(self._kept.get(caller)))


class RateLimiter:
    """A caller has a bucket of `burst` tokens that fills at `rate` a second; what is asked for takes some. Thread-safe.

    Args:
        rate_per_second: 0 means no limit.
        burst: tokens of a full bucket.
        what: is counted, for people.
        buckets: of callers; in this process where left out.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        rate_per_second: float,
        burst: float,
        *,
        what: str = "calls",
        buckets: KeepsBuckets | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._what, self._clock = rate_per_second, float(burst), what, clock
        self._buckets = buckets or Buckets()

    def take(self, caller: str, count: int = 1) -> None:
        """Count what a caller asks for; more than a full bucket is lent, and paid back before anything else.

        Raises:
            RateLimitedError: too many; says how long to wait.
        """
        if self._rate == 0:
            return
        now, needed, short = self._clock(), min(float(count), self._burst), 0.0

        def taken(bucket: tuple[float, float] | None) -> tuple[float, float]:
            nonlocal short
            tokens, seen = bucket or (self._burst, now)
            tokens = min(self._burst, tokens + (now - seen) * self._rate)
            short = max(0.0, needed - tokens)
            return (tokens if short else tokens - count), now

        self._buckets.change(caller, taken)
        if short:
            wait = short / self._rate
            raise RateLimitedError(
                f"Too many {self._what}: at most {self._rate:g} a second. Try again in {wait:.1f} s.",
                retry_after_s=wait,
            )
