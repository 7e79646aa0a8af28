"""Agents describe their targets when it is time, and nothing keeps them from their work."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from latcast.client import Client
from latcast.schema import MICROBENCH_VERSION, Device, LatcastError, Microbench, ProfileSettings
from service.agent import description
from service.agent.description import describe_targets, is_due
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World

TARGETS = [TARGET, OTHER_TARGET]
Progress = Callable[[float, str], None]


class Runner:
    """Stands for `run_microbench`; `wrong` is what it raises with one thread."""

    def __init__(self, wrong: Exception | None = None, during: Callable[[], None] | None = None) -> None:
        self.wrong, self.during = wrong, during
        self.ran: list[int] = []

    def __call__(self, settings: ProfileSettings, *, device: Device, progress: Progress) -> Microbench:
        self.ran.append(settings.threads)
        if self.during:
            self.during()
        progress(0.0, "process 1 of 5")
        if self.wrong and settings.threads == 1:
            raise self.wrong
        target = replace(TARGET, threads=settings.threads)
        return Microbench(target=target, values={"call_ms": 0.01 * len(self.ran)})


def describe(agent: Client, run: Runner, *, when: Any = "auto", stop: Event | None = None) -> list[str]:
    said: list[str] = []
    describe_targets(agent, DEVICE, TARGETS, when=when, stop=stop or Event(), say=said.append, run=run)
    return said


def test_targets_are_described_once(world: World) -> None:
    agent = world.agent(TARGETS)
    run = Runner()
    assert len(describe(agent, run)) == 2
    assert describe(agent, run) == []
    assert run.ran == [1, 2]
    assert not is_due(agent, TARGET)


def test_always_and_never(world: World) -> None:
    agent = world.agent(TARGETS)
    run = Runner()
    describe(agent, run, when="never")
    assert run.ran == []
    describe(agent, run, when="always")
    describe(agent, run, when="always")
    assert run.ran == [1, 2, 1, 2]
    found = agent.microbench(TARGET.id)
    assert found is not None
    assert found["microbench"]["values"] == {"call_ms": pytest.approx(0.03)}


def test_old_descriptions_and_those_by_other_probes_are_taken_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent(TARGETS)
    agent.put_microbench(Microbench(target=TARGET, values={"call_ms": 1.0}, version=MICROBENCH_VERSION + 1))
    assert is_due(agent, TARGET)
    agent.put_microbench(Microbench(target=OTHER_TARGET, values={"call_ms": 1.0}))
    assert not is_due(agent, OTHER_TARGET)
    monkeypatch.setattr(description, "DAYS", -1.0)
    assert is_due(agent, OTHER_TARGET)


def test_a_target_that_cannot_be_described_keeps_nobody_waiting(world: World) -> None:
    agent = world.agent(TARGETS)
    run = Runner(wrong=LatcastError("No microbenchmark could be timed. The runtime crashed."))
    said = describe(agent, run)
    assert run.ran == [1, 2]
    assert any("The runtime crashed" in line for line in said)
    assert agent.microbench(TARGET.id) is None
    assert agent.microbench(OTHER_TARGET.id) is not None


def test_a_service_that_refuses_is_a_line(world: World) -> None:
    agent = world.agent(TARGETS)
    agent.key = "latcast_nobody"
    assert all("without microbenchmarks" in line for line in describe(agent, Runner()))


def test_an_interrupt_ends_the_errand(world: World) -> None:
    agent, stop = world.agent(TARGETS), Event()
    run = Runner(during=stop.set)
    assert len(describe(agent, run, stop=stop)) == 1
    assert run.ran == [1]
    assert agent.microbench(TARGET.id) is None
    describe(agent, run, stop=stop)
    assert run.ran == [1]
