"""The one cache: bounded by number or weight, counted, and safe in threads."""

import threading

import pytest

from profilers.caching import Cache


def test_the_values_that_were_used_last_stay() -> None:
    cache: Cache[str, int] = Cache(2)
    assert cache.put("a", 1) == 1
    cache.put("b", 2)
    assert cache.get("a") == 1  # so b is the older one now
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert (len(cache), cache.hits, cache.misses) == (2, 3, 1)


def test_a_value_that_is_put_again_is_the_newest_and_counts_once() -> None:
    cache: Cache[str, bytes] = Cache(5, weigh=len)
    cache.put("a", b"12")
    cache.put("b", b"12")
    cache.put("a", b"123")
    assert len(cache) == 2
    cache.put("c", b"1")
    assert [cache.get(key) for key in "abc"] == [b"123", None, b"1"]


def test_a_value_above_the_size_is_not_kept_and_drives_nothing_out() -> None:
    cache: Cache[str, bytes] = Cache(3, weigh=len)
    cache.put("small", b"1")
    assert cache.put("large", b"12345") == b"12345"
    assert [cache.get("small"), cache.get("large")] == [b"1", None]
    assert cache.get_or_make("large", lambda: b"12345") == b"12345"
    assert len(cache) == 1


def test_a_value_is_made_when_it_is_not_there_and_only_then() -> None:
    cache: Cache[int, list[int]] = Cache(10)
    first = cache.get_or_make(1, lambda: [1])
    assert cache.get_or_make(1, lambda: pytest.fail("it is there")) is first
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make(2, lambda: [1 // 0])
    assert cache.get(2) is None


def test_threads_that_make_a_value_at_once_get_the_same_one() -> None:
    cache: Cache[str, object] = Cache(10)
    together = threading.Barrier(4)
    results: list[object] = []

    def make() -> object:
        together.wait(10)
        return object()

    threads = [threading.Thread(target=lambda: results.append(cache.get_or_make("a", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(map(id, results))) == 1


def test_many_threads_leave_it_within_its_size() -> None:
    cache: Cache[int, int] = Cache(50)

    def use(start: int) -> None:
        for number in range(2000):
            assert cache.get_or_make((start * number) % 300, lambda: 1) == 1

    threads = [threading.Thread(target=use, args=(start,)) for start in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == 50
    assert cache.hits + cache.misses == 8000
