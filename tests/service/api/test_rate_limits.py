"""Buckets of tokens that fill with time."""

from collections.abc import Callable

import pytest

from latcast.errors import RateLimitedError
from service.api import rate_limits
from service.api.problems import MEDIA_TYPE
from service.api.rate_limits import RateLimiter
from tests.service.helpers import World

MakeWorld = Callable[..., World]


def test_rate_limiter_fills_its_buckets_with_time() -> None:
    now, waits = [0.0], []
    limiter = RateLimiter(2.0, 2, clock=lambda: now[0])

    def allowed() -> bool:
        try:
            limiter.take("a")
        except RateLimitedError as error:
            waits.append(error.retry_after_s)
            return False
        return True

    assert [allowed() for _ in range(3)] == [True, True, False]
    now[0] = 0.5
    assert [allowed() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [allowed() for _ in range(3)] == [True, True, False]
    limiter.take("b")
    assert waits == [0.5, 0.5, 0.5]


def test_more_than_a_bucket_is_lent_and_paid_back() -> None:
    now = [0.0]
    limiter = RateLimiter(10.0, 10, what="forecasts", clock=lambda: now[0])
    limiter.take("a", 30)
    with pytest.raises(RateLimitedError, match=r"forecasts: at most 10 a second\. Try again in 2\.1 s"):
        limiter.take("a")
    now[0] = 2.1
    limiter.take("a")
    now[0] = 100.0
    limiter.take("a", 4)
    limiter.take("a", 6)
    with pytest.raises(RateLimitedError):
        limiter.take("a", 2)


@pytest.mark.slow
def test_too_many_calls_are_told_when_to_come_back(make_world: MakeWorld) -> None:
    world = make_world(rate_per_second=0.5, rate_burst=3)
    statuses = [world.http.get("/v1/targets").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    response = world.http.get("/v1/targets")
    assert 1 <= int(response.headers["retry-after"]) <= 4
    assert response.headers["content-type"] == MEDIA_TYPE
    assert world.http.get("/healthz").status_code == 200
    assert RateLimitedError("x").retry_after_s == 1.0


def test_no_rate_is_no_limit_and_the_oldest_callers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(10):
        RateLimiter(0.0, 1).take("a")
    monkeypatch.setattr(rate_limits, "MOST_CALLERS", 2)
    limiter = RateLimiter(0.001, 1, clock=lambda: 0.0)
    for caller in "abc":
        limiter.take(caller)
    limiter.take("a")  # forgotten, so its bucket is full again
    with pytest.raises(RateLimitedError, match="Try again in"):
        limiter.take("c")
