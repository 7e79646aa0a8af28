"""Buckets in a file count for all who open it, and the ones that were longest not used give way."""

from pathlib import Path

import pytest

from latcast.errors import RateLimitedError
from service.api import shared_buckets
from service.api.rate_limits import RateLimiter
from service.api.shared_buckets import SharedBuckets


def test_limiters_over_one_file_count_together(tmp_path: Path) -> None:
    stores = [SharedBuckets(tmp_path / "calls") for _ in range(2)]
    one, other = (RateLimiter(0.001, 3, buckets=store, clock=lambda: 5.0) for store in stores)
    one.take("a")
    other.take("a")
    one.take("a")
    for limiter in (one, other):
        with pytest.raises(RateLimitedError):
            limiter.take("a")
    other.take("b")
    for store in stores:
        store.close()


def test_the_longest_unused_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_buckets, "SLOTS", 2)
    monkeypatch.setattr(shared_buckets, "NEIGHBOURS", 2)
    store = SharedBuckets(tmp_path / "calls")
    store.change("a", lambda bucket: (1.0, 10.0))
    store.change("b", lambda bucket: (2.0, 20.0))
    store.change("c", lambda bucket: (3.0, 30.0) if bucket is None else (0.0, 0.0))
    seen: dict[str, tuple[float, float] | None] = {}

    def look(name: str) -> None:
        def change(bucket: tuple[float, float] | None) -> tuple[float, float]:
            seen[name] = bucket
            return bucket or (0.0, 40.0)

        store.change(name, change)

    for name in ("b", "c", "a"):
        look(name)
    assert seen == {"b": (2.0, 20.0), "c": (3.0, 30.0), "a": None}
    store.close()
