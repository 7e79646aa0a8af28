"""Agents that replay: they register, are given jobs when they have none, and report what can be stored."""

from typing import Any

import pytest

from latcast.client import Client
from latcast.schema import ProfileSettings
from profilers.backends.target_settings import target_for
from service.cli.bench import replay
from tests.service.helpers import DEVICE, World


def test_an_agent_reports_until_nothing_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MEASURING_S", 0.0)
    monkeypatch.setattr(replay, "BLOCKS", ("k3_e1", "skip"))
    key, target = replay._registered(world.client, DEVICE)
    assert target == target_for(DEVICE, ProfileSettings())
    graphs = replay._graphs(world.client, target.id)
    assert len(set(graphs)) == 2

    class Agent:
        def __init__(self, client: Client) -> None:
            self.client = client

        def lease(self, **_options: Any) -> Any:
            job = self.client.lease(wait_s=0)
            if job is None:
                raise KeyboardInterrupt
            return job

        def result(self, *arguments: Any) -> Any:
            return self.client.result(*arguments)

    def work() -> int:
        with pytest.raises(KeyboardInterrupt):
            replay._work(Agent(world.client_with(key)), target)  # type: ignore[arg-type]
        return sum(1 for _ in world.client.measurements(target.id))

    assert work() == 2
    replay._fill(world.client, [target], graphs)
    replay._fill(world.client, [target], graphs)
    assert len(list(world.client.jobs(state="queued"))) == 2
    assert work() == 4
