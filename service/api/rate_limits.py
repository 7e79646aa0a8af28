"""How often somebody may call: a token bucket for each key or address, in this process."""

import threading
import time
from collections.abc import Callable

from latcast.errors import RateLimitedError
from profilers.caching import Cache

__all__ = ["RateLimiter"]

MOST_CALLERS = 10_000


class RateLimiter:
    """Each caller has a bucket of `burst` tokens that fills at `rate` a second; a call takes one. Thread-safe.

    Args:
        rate_per_second: 0 means no limit.
        burst: calls that may come at once.
        clock: seconds, never going back.
    """

    def __init__(self, rate_per_second: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate_per_second, float(burst), clock
        self._buckets: Cache[str, tuple[float, float]] = Cache(MOST_CALLERS)
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count one call.

        Raises:
            RateLimitedError: too many; says how long to wait.
        """
        if self._rate == 0:
            return
        now = self._clock()
        with self._lock:
            tokens, seen = self._buckets.get(caller) or (self._burst, now)
            tokens = min(self._burst, tokens + (now - seen) * self._rate)
            self._buckets.put(caller, (max(0.0, tokens - 1) if tokens >= 1 else tokens, now))
        if tokens < 1:
            wait = (1 - tokens) / self._rate
            raise RateLimitedError(
                f"Too many calls: at most {self._rate:g} a second. Try again in {wait:.1f} s.", retry_after_s=wait
            )
