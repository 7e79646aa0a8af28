"""Places for calls: bounded, waited for a little, given back, and each kind by itself."""

import asyncio

import anyio.to_thread
import pytest

from latcast.errors import UnavailableError
from service.api.door.pools import QUEUE_FACTOR, SPARE_THREADS, Pool, Pools, Shares
from service.api.door.routes import POOL_OF
from service.app import ROUTERS
from service.settings import Settings


def pool(places: int, patience_s: float) -> Pool:
    return Pool("things", setting="max_things", places=places, patience_s=patience_s)


def test_no_more_than_its_places_run_at_a_time() -> None:
    running, most = 0, 0

    async def call(own: Pool) -> None:
        nonlocal running, most
        async with own.place():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    async def main() -> None:
        own = pool(3, 60.0)
        await asyncio.gather(*(call(own) for _ in range(20)))

    asyncio.run(main())
    assert most == 3


def test_who_waits_too_long_is_told_what_to_do() -> None:
    async def main() -> None:
        own = pool(1, 0.01)
        async with own.place():
            with pytest.raises(UnavailableError, match=r"takes 1 things at a time \(setting `max_things`\)"):
                async with own.place():
                    raise AssertionError("there was no place")
        async with own.place():
            pass

    asyncio.run(main())


def test_the_queue_is_bounded() -> None:
    async def main() -> None:
        own = pool(1, 60.0)
        async with own.place():
            waiting = [asyncio.create_task(own.run(lambda: 1)) for _ in range(QUEUE_FACTOR)]
            await asyncio.sleep(0.01)
            with pytest.raises(UnavailableError):
                await own.run(lambda: 1)
            for task in waiting[1:]:
                task.cancel()
        assert await waiting[0] == 1
        assert await own.run(lambda: 2) == 2

    asyncio.run(main())


def test_a_place_comes_back_from_whoever_fails() -> None:
    async def main() -> None:
        own = pool(1, 0.01)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await own.run(lambda: 1 // 0)

    asyncio.run(main())


def test_shares_are_counted_by_caller() -> None:
    shares = Shares("streams", setting="max_streams_each", each=2)
    with shares.one("a"), shares.one("a"), shares.one("b"):
        with pytest.raises(UnavailableError, match="`max_streams_each`"), shares.one("a"):
            raise AssertionError("there was none left")
        with shares.one("b"):
            pass
    with shares.one("a"), shares.one("a"):
        pass


def test_every_pool_has_a_setting_and_every_call_a_pool() -> None:
    pools = Pools.of(Settings(max_write_calls=3))
    assert pools.writes.places == 3
    described = {(method, route.path) for router in ROUTERS for route in router.routes for method in route.methods}  # type: ignore[attr-defined]
    assert set(POOL_OF) <= described
    assert {name for name in POOL_OF.values() if name} <= set(Pools.__slots__)


def test_there_is_a_thread_for_each_place() -> None:
    async def main() -> float:
        Pools.of(Settings()).size_threads()
        return anyio.to_thread.current_default_thread_limiter().total_tokens

    assert asyncio.run(main()) > SPARE_THREADS + 32
