"""Microbenchmarks: reported by agents, stored as they are, handed to whoever learns or adapts."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from latcast.errors import ForbiddenError, NotFoundError
from latcast.schema import DeviceEvidence, Environment, InputError, Microbench, from_plain, to_plain
from profilers.search_spaces import get_space
from service.db import records, tables
from service.fleet.evidence import target_evidence
from service.learning.datasets import load_dataset
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET, World, measurement

MICROBENCH = Microbench(
    target=TARGET,
    values={"call_ms": 0.004, "gemm_512_ms": 1.25, "gemm_512_thread_gain": 1.0},
    spread={"call_ms": 0.01, "gemm_512_ms": 0.02, "gemm_512_thread_gain": 0.0},
    missing={"lstm_32x128_ms": "The runtime knows no LSTM."},
    before=Environment(time_unix_s=1.0, load_1m=0.1),
    after=Environment(time_unix_s=9.0),
    sentinel_ms=(0.1, 0.11),
    seconds=8.0,
)
JSON_HEADERS = {"Content-Type": "application/json"}


def rows(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(tables.Microbench)) or 0


def test_what_an_agent_reports_comes_back_as_it_was(world: World) -> None:
    agent = world.agent()
    assert agent.microbench(TARGET.id) is None
    assert world.client.target(TARGET.id)["microbench"] is None
    agent.put_microbench(MICROBENCH)
    found = agent.microbench(TARGET.id)
    assert found is not None
    assert from_plain(Microbench, found["microbench"]) == MICROBENCH
    shown = world.client.target(TARGET.id)["microbench"]
    assert (shown["entries"], shown["noisy"], shown["version"]) == (3, False, 1)
    assert world.client.targets()[0]["microbench"] == shown


def test_a_report_that_is_repeated_is_one_row(world: World) -> None:
    agent = world.agent()
    assert agent.put_microbench(MICROBENCH) == agent.put_microbench(MICROBENCH)
    assert rows(world) == 1
    agent.put_microbench(replace(MICROBENCH, seconds=9.0))
    assert rows(world) == 2


def test_the_newest_quiet_one_of_the_newest_probes_speaks(world: World) -> None:
    agent = world.agent()

    def speaks() -> float:
        found = agent.microbench(TARGET.id)
        assert found is not None
        return float(found["microbench"]["seconds"])

    agent.put_microbench(replace(MICROBENCH, seconds=1.0, noisy=True))
    assert speaks() == 1.0
    agent.put_microbench(replace(MICROBENCH, seconds=2.0))
    agent.put_microbench(replace(MICROBENCH, seconds=3.0))
    agent.put_microbench(replace(MICROBENCH, seconds=4.0, noisy=True))
    assert speaks() == 3.0
    agent.put_microbench(replace(MICROBENCH, seconds=5.0, noisy=True, version=2))
    assert speaks() == 5.0


def test_data_sets_bring_the_evidence_of_their_targets(world: World) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    world.measure(agent)
    agent.put_microbench(replace(MICROBENCH, target=OTHER_TARGET))
    rate = pytest.approx(1e6 / 2.1)
    counters = {"instructions": rate, "instructions@MatMul": rate}
    with world.database.read() as session:
        assert load_dataset(session).evidence == {TARGET.id: DeviceEvidence(counters=counters)}
    agent.put_microbench(MICROBENCH)
    with world.database.read() as session:
        evidence = DeviceEvidence(counters=counters, microbench=MICROBENCH.values)
        assert load_dataset(session).evidence == {TARGET.id: evidence}


def test_agents_report_of_their_own_device_alone(world: World) -> None:
    world.agent()
    other = replace(DEVICE, fingerprint="machine-2")
    stranger = world.agent([replace(TARGET, device="machine-2")], other)
    with pytest.raises(ForbiddenError, match="another device"):
        stranger.put_microbench(MICROBENCH)
    with pytest.raises(NotFoundError):
        stranger.put_microbench(replace(MICROBENCH, target=replace(TARGET, threads=64)))
    assert rows(world) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"values": {}},
        {"values": {"call_ms": 0.0}},
        {"values": {"call_ms": -1.0}},
        {"values": {"call_ms": "fast"}},
        {"values": {"<script>": 1.0}},
        {"values": {"a" * 65: 1.0}},
        {"values": {f"entry_{index}": 1.0 for index in range(201)}},
        {"spread": {"call_ms": -0.1}},
        {"missing": {"call_ms": "x" * 2001}},
        {"missing": {"call_ms": "half a pair \ud800"}},
        {"missing": {"call_ms": "zero \0 byte"}},
        {"sentinel_ms": [0.1] * 1001},
        {"version": 0},
        {"version": 2**70},
        {"target": to_plain(OTHER_TARGET)},
        {"seconds": None},
    ],
    ids=str,
)
def test_hostile_reports_are_refused(world: World, change: dict[str, Any]) -> None:
    agent = world.agent([TARGET, OTHER_TARGET])
    body = {**to_plain(MICROBENCH), **change}
    with pytest.raises(InputError):
        agent._service.json("PUT", f"/targets/{TARGET.id}/microbench", content=json.dumps(body), headers=JSON_HEADERS)
    assert rows(world) == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(world: World, number: str) -> None:
    agent = world.agent()
    text = '{"target": {"device": "machine-1", "backend": "fake", "backend_version": "1"}, "values": {"call_ms": %s}}'
    with pytest.raises(InputError):
        agent._service.json("PUT", f"/targets/{TARGET.id}/microbench", content=text % number, headers=JSON_HEADERS)
    assert rows(world) == 0


def test_a_predictor_reads_targets_it_has_never_seen_by_their_microbenchmarks(world: World) -> None:
    """From the agents' reports by way of the database to MAPLE, and to a target without a single measurement."""
    pytest.importorskip("torch")
    from predictors.kinds.maple.predictor import MaplePredictor

    speeds = (1.0, 2.0, 4.0, 8.0, 3.0)
    targets = [replace(TARGET, threads=index + 1) for index in range(len(speeds))]
    agent, rng = world.agent(targets), np.random.default_rng(0)
    space = get_space("nasbench201")
    cells = [space.format(space.sample(rng)) for _ in range(12)]
    hashes = [world.client.upload_architecture("nasbench201", cell)["hash"] for cell in cells]
    for target, speed in zip(targets, speeds, strict=True):
        agent.put_microbench(Microbench(target=target, values={"call_ms": 0.01 * speed, "gemm_512_ms": 2.0 * speed}))
        with world.database.write.begin() as session:
            for cell, graph in zip(cells, hashes, strict=True):
                ms = speed * (1 + cell.count("conv_3x3"))
                session.add(records.measurement_row(measurement(graph, target=target, ms=ms)))
    with world.database.read() as session:
        known = load_dataset(session, target_ids=[target.id for target in targets[:-1]])
        truth = load_dataset(session, target_id=targets[-1].id)
        evidence = target_evidence(session, [targets[-1].id])
    base = MaplePredictor(descriptor="microbench", epochs=200).fit(known)
    assert base.to_artifact().meta["descriptor"] == "microbench"
    adapted = base.adapt(targets[-1], truth.subset([]), evidence[targets[-1].id])
    errors = np.abs(adapted.predict(truth.queries).median_ms / truth.latency_ms - 1)
    assert np.median(errors) < 0.15
