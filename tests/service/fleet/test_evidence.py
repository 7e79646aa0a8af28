"""What agents' measurements count reaches whoever learns, adapts or forecasts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from latcast.client import Client
from latcast.schema import (
    CounterReading,
    DeviceEvidence,
    KernelTiming,
    Measurement,
    Microbench,
    MissingEvidenceError,
    ProcessRun,
    Target,
)
from predictors.base import LatencyDataset
from predictors.features.descriptors import DescriptorReader
from profilers.search_spaces import get_space
from service.app import create_app
from service.db import tables
from service.fleet.evidence import target_evidence
from service.learning.artifacts import put_artifact
from service.learning.datasets import load_dataset
from service.settings import Settings
from tests.service.helpers import TARGET, DirectReader, World, add_import, measurement

OPERATORS = {"Conv": 2e6, "AveragePool": 5e5}
"""Cycles in a ms of each operator, on a machine of speed 1."""


def counted(
    found: Measurement, *, ms: float, conv_share: float, speed: float = 1.0, events: Sequence[str] = ("cpu-cycles",)
) -> Measurement:
    """The measurement with two kinds of kernels and their cycles, as an agent with hardware counters sends it."""
    shares = {"Conv": conv_share, "AveragePool": 1 - conv_share}
    kernels = tuple(
        KernelTiming(operator=name, share=share, time_ms=share * ms, node=0) for name, share in shares.items()
    )
    cycles = ms / speed * sum(OPERATORS[name] * share for name, share in shares.items())
    reading = CounterReading(
        values={**dict.fromkeys(events, cycles), "user-time-ns": 1e6 * ms},
        enabled_ns=dict.fromkeys((*events, "user-time-ns"), 10**6),
        running_ns=dict.fromkeys((*events, "user-time-ns"), 10**6),
        absent={"LLC-loads": "No such event."},
    )
    return replace(found, runs=(ProcessRun(samples_ms=(ms,) * 3, kernels=kernels, counters=reading),))


def report(world: World, agent: Client, target: Target, graph: str, **how: float) -> int:
    """Have the agent measure the graph on the target, and count."""
    world.client.profile(target.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    found = counted(measurement(graph, target=target), ms=how["ms"], conv_share=how["conv_share"],
                    speed=how.get("speed", 1.0))  # fmt: skip
    if how.get("noisy"):
        found = replace(found, noisy=True)
    return int(agent.result(job["id"], job["lease_token"], found)["measurement_id"])


def counters(world: World, target: Target = TARGET) -> Mapping[str, float]:
    with world.database.read() as session:
        found = target_evidence(session, [target.id]).get(target.id)
    return (found and found.counters) or {}


def test_counters_of_measurements_are_evidence_by_event_and_operator(world: World) -> None:
    agent = world.agent()
    assert counters(world) == {}
    for width, share in ((1, 0.9), (2, 0.5), (3, 0.1)):
        report(world, agent, TARGET, world.graph(width), ms=float(width), conv_share=share)
    agent.put_microbench(Microbench(target=TARGET, values={"call_ms": 0.1}))
    rates = counters(world)
    assert set(rates) == {"cpu-cycles", "cpu-cycles@Conv", "cpu-cycles@AveragePool"}
    assert rates["cpu-cycles"] == pytest.approx(1.25e6)
    for name, rate in OPERATORS.items():
        assert rates[f"cpu-cycles@{name}"] == pytest.approx(rate, rel=0.05), name
    with world.database.read() as session:
        evidence = load_dataset(session).evidence[TARGET.id]
    assert evidence.counters == rates
    assert evidence.microbench == {"call_ms": 0.1}


@pytest.mark.slow
def test_hidden_and_noisy_measurements_say_nothing_while_there_are_others(world: World) -> None:
    agent = world.agent()
    report(world, agent, TARGET, world.graph(1), ms=1.0, conv_share=1.0, noisy=True)
    assert counters(world)["cpu-cycles"] == pytest.approx(2e6)
    report(world, agent, TARGET, world.graph(2), ms=1.0, conv_share=0.0)
    assert counters(world)["cpu-cycles"] == pytest.approx(5e5)
    hidden = report(world, agent, TARGET, world.graph(3), ms=1.0, conv_share=1.0)
    assert counters(world)["cpu-cycles"] == pytest.approx(1.25e6)
    world.client.hide_measurements(ids=[hidden])
    assert counters(world)["cpu-cycles"] == pytest.approx(5e5)


def test_machines_without_hardware_counters_have_none(world: World) -> None:
    agent, graph = world.agent(), world.graph(1)
    world.client.profile(TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    found = counted(measurement(graph), ms=1.0, conv_share=1.0, events=("task-clock", "page-faults"))
    agent.result(job["id"], job["lease_token"], found)
    imported = add_import(world)
    with world.database.read() as session:
        assert target_evidence(session, [TARGET.id, imported]) == {}


@pytest.fixture
def answering(new_sqlite: str, tmp_path: Path) -> Iterator[World]:
    """A service with predictors of its own."""
    settings = Settings(database_url=new_sqlite, data_dir=tmp_path, tick_seconds=3600, log_level="error",
                        rate_per_second=0)  # fmt: skip
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        client = Client("http://testserver", transport=http._transport)
        yield World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client)


@pytest.mark.slow
def test_maple_learns_and_answers_by_counters_that_agents_reported(answering: World) -> None:
    """From the agents' reports to an answer over REST that says by what it knows the device."""
    pytest.importorskip("torch")
    from predictors.kinds.maple.predictor import MaplePredictor

    world, speeds = answering, (1.0, 2.0, 4.0, 8.0, 3.0)
    targets = [replace(TARGET, threads=index + 1) for index in range(len(speeds))]
    agent, rng = world.agent(targets), np.random.default_rng(0)
    space = get_space("nasbench201")
    cells = [space.format(space.sample(rng)) for _ in range(12)]
    hashes = [world.client.upload_architecture("nasbench201", cell)["hash"] for cell in cells]
    for target, speed in zip(targets, speeds, strict=True):
        for cell, graph in zip(cells, hashes, strict=True):
            convolutions = cell.count("conv_3x3")
            share = convolutions / (1 + convolutions)
            report(world, agent, target, graph, ms=speed * (1 + convolutions), conv_share=share, speed=speed)
    new = targets[-1]
    with world.database.read() as session:
        known = load_dataset(session, target_ids=[target.id for target in targets[:-1]])
        evidence = target_evidence(session, [new.id])[new.id]
        truth = load_dataset(session, target_id=new.id)
    base = MaplePredictor(epochs=200).fit(known)
    artifact = base.to_artifact()
    assert artifact.meta["descriptor"] == "counters"
    assert "cpu-cycles@Conv" in artifact.vocabulary["descriptor"]
    forecast = base.adapt(new, truth.subset([]), evidence).predict(truth.queries)
    assert np.median(np.abs(forecast.median_ms / truth.latency_ms - 1)) < 0.2
    with world.database.write.begin() as session:
        digest = put_artifact(session, artifact)
        session.add(tables.Predictor(id="m1", kind="maple", artifact_digest=digest, metrics={}, active=False))
    other = space.format(space.sample(np.random.default_rng(99)))
    (answer,) = world.client.predict(new.id, [{"space": "nasbench201", "text": other}], predictor="maple")
    assert (answer["kind"], answer["descriptor"], answer["adapted"]) == ("maple", "counters", True)
    (known_answer,) = world.client.predict(new.id, [{"space": "nasbench201", "text": cells[0]}])
    assert (known_answer["source"], known_answer["descriptor"]) == ("measured", None)


def test_a_target_without_counters_is_told_what_helps() -> None:
    reader = DescriptorReader(kind="counters", names=("cpu-cycles", "cpu-cycles@Conv"), centre=np.zeros(2),
                              spread=np.ones(2))  # fmt: skip
    nothing = LatencyDataset(queries=[], latency_ms=np.empty(0))
    with pytest.raises(MissingEvidenceError, match="an agent that counts events of the hardware"):
        reader.read(nothing, TARGET.id, DeviceEvidence(microbench={"call_ms": 1.0}))
    # An operator that it has not run yet counts as all that it has run.
    read = reader.read(nothing, TARGET.id, DeviceEvidence(counters={"cpu-cycles": np.e}))
    np.testing.assert_allclose(read.vector, [1.0, 1.0])
