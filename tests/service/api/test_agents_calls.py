"""A job for an agent that waits for one, and whose reports are whose."""

import asyncio
import math
import time
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from latcast.schema import Failure
from service.api.agents_calls import lease_within, report_of
from service.api.deps import ENDING
from service.fleet.access import Principal

AGENT = Principal(scope="agent", key_id="k", agent_id="a", device_id="d")


class Service:
    """One that has a job after so many looks; each look takes no time."""

    def __init__(self, *, jobs_after: int, most_wait_s: float = 60.0) -> None:
        self.leases = self.looks = 0
        self.waited: list[float] = []
        self._jobs_after = jobs_after
        self.parts: Any = SimpleNamespace(
            settings=SimpleNamespace(max_lease_wait_s=most_wait_s), writes=self, work=self
        )

    async def lease(self, caller: Principal) -> str | None:
        assert caller is AGENT
        self.leases += 1
        return "job" if self.looks >= self._jobs_after else None

    async def comes_within(self, caller: Principal, seconds: float) -> bool:
        assert caller is AGENT
        self.waited.append(seconds)
        self.looks += 1
        return self.looks >= self._jobs_after


def request(*, gone_after: float = math.inf, ending: bool = False) -> Any:
    """A call whose caller is gone after so many looks, of a service that ends or does not."""
    state, looks = SimpleNamespace(), count()
    setattr(state, ENDING, asyncio.Event())
    if ending:
        getattr(state, ENDING).set()

    async def is_disconnected() -> bool:
        return next(looks) >= gone_after

    return SimpleNamespace(state=state, is_disconnected=is_disconnected)


def leased(service: Service, call: Any, wait_s: float = 30.0) -> object:
    return asyncio.run(lease_within(wait_s, call, service.parts, AGENT))


def test_a_job_that_is_there_is_leased_at_once() -> None:
    service = Service(jobs_after=0)
    assert leased(service, request(), 0) == "job"
    assert (service.leases, service.looks) == (1, 0)


def test_one_that_comes_is_leased_then_and_the_queue_is_not_asked_in_between() -> None:
    service = Service(jobs_after=5)
    assert leased(service, request()) == "job"
    assert (service.leases, service.looks) == (2, 5)
    assert max(service.waited) <= 0.25, "so long nobody looks whether the caller is there"


@pytest.mark.parametrize(("call", "looks"), [(request(gone_after=3), 3), (request(ending=True), 0)])
def test_nobody_waits_for_a_caller_that_has_gone_nor_for_a_service_that_ends(call: Any, looks: int) -> None:
    service = Service(jobs_after=1000)
    assert leased(service, call) is None
    assert (service.leases, service.looks) == (1, looks)


def test_nobody_waits_longer_than_the_settings_allow() -> None:
    service, began = Service(jobs_after=10**9, most_wait_s=0.05), time.monotonic()
    assert leased(service, request(), 3600) is None
    assert 0.05 <= time.monotonic() - began < 10


def test_a_report_is_its_devices_and_without_one_nobodys() -> None:
    failure = Failure(stage="load", message="no")
    mine, nobodys = (report_of("j", "t", failure, caller) for caller in (AGENT, Principal()))
    assert (mine.job_id, mine.lease_token, mine.outcome, mine.device_id) == ("j", "t", failure, "d")
    assert nobodys.device_id is not None, "None would mean that it is known to be the lease's"
    assert nobodys.device_id != "d"
