"""Agents that replay: they register, are given jobs when they have few, and report what can be stored."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from latcast.schema import LatcastError, ProfileSettings
from profilers.backends.target_settings import target_for
from service.cli.bench import replay
from service.cli.bench.replay import Machine
from tests.service.helpers import DEVICE, World


class StoppedError(Exception):
    """Nothing is left to do."""


def work(world: World, machine: Machine) -> int:
    """Let the agent work until no job is left; how many measurements there are then."""

    async def ask(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        own = {"Content-Type": "application/json", "Authorization": f"Bearer {machine.key}", **headers}
        answer = world.http.post(path, content=body, headers=own)
        if answer.status_code == 204:
            raise StoppedError
        return answer.status_code, answer.content

    with pytest.raises(StoppedError):
        asyncio.run(replay._work(ask, machine))
    return sum(1 for _ in world.client.measurements(machine.target.id))


@pytest.fixture
def machine(world: World, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(replay, "MEASURING_S", 0.0)
    monkeypatch.setattr(replay, "WAIT_S", 0.0)
    monkeypatch.setattr(replay, "BLOCKS", ("k3_e1", "skip"))
    return replay._registered(world.client, DEVICE)


def test_an_agent_reports_until_nothing_is_left(world: World, machine: Machine) -> None:
    assert machine.target == target_for(DEVICE, ProfileSettings())
    graphs = replay._graphs(world.client, machine)
    assert len(set(graphs)) == machine.jobs == 2
    assert work(world, machine) == 2
    assert machine.jobs == 0
    given = len(graphs) * replay.ROUNDS
    assert given >= replay.FEWEST_JOBS
    replay._fill(world.client, [machine], graphs)
    replay._fill(world.client, [machine], graphs)
    assert machine.jobs == len(list(world.client.jobs(state="queued"))) == given
    assert work(world, machine) == 2 + given


def test_results_are_as_far_apart_as_measurements(
    world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the service takes, as long as it keeps up: what agents offer does not hang on its speed."""
    replay._graphs(world.client, machine)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(replay, "MEASURING_S", 1000.0)
    monkeypatch.setattr(replay, "asyncio", SimpleNamespace(sleep=sleep))
    assert work(world, machine) == 2
    assert [1000 * place - 900 < seconds <= 1000 * place for place, seconds in enumerate(slept, 1)] == [True, True]


def test_a_service_that_gives_no_jobs_is_told_of(machine: Machine) -> None:
    async def refuse(_path: str, _body: bytes, _headers: Mapping[str, str]) -> tuple[int, bytes]:
        return 503, b"hands full"

    with pytest.raises(LatcastError, match="no job: hands full"):
        asyncio.run(replay._work(refuse, machine))
