"""A machine that version 0.1 called otherwise keeps its rows, its key and what answers for its targets."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from latcast.errors import AuthenticationError, LeaseLostError
from latcast.schema import Microbench, Target
from predictors.artifact import Artifact
from service.db import records, tables
from service.db.tables import Base
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, Pool
from service.learning.artifacts import put_artifact, read_artifact
from tests.service.helpers import DEVICE, TARGET, World, measurement

FORMER = DEVICE.fingerprint
NEW = replace(DEVICE, fingerprint="fingerprint-with-hardware")
NEW_TARGET = replace(TARGET, device=NEW.fingerprint)


def rows(world: World) -> dict[str, int]:
    """How many rows each table has, apart from what calls add."""
    with world.database.read() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


def work_of_an_agent(world: World, key: str) -> list[dict]:
    """A measured graph, one that is leased, one that waits, and a description."""
    agent = world.client_with(key)
    graph = world.graph()
    world.client.profile(TARGET.id, graphs=[graph] * 3)
    done, leased = (agent.lease(wait_s=0) for _ in range(2))
    assert done is not None
    assert leased is not None
    agent.result(done["id"], done["lease_token"], measurement(graph))
    agent.put_microbench(Microbench(target=TARGET, values={"gemm_ms": 1.0}, spread={"gemm_ms": 0.0}))
    return [done, leased]


def test_an_upgraded_agent_keeps_everything_under_its_new_fingerprint(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    done, leased = work_of_an_agent(world, keys["agent"])
    before, (device,) = rows(world), world.client.devices()
    agent = world.client_with(keys["agent"])
    for _ in range(2):
        answer = agent.register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
        assert answer == {
            "device_id": records.device_id(NEW.fingerprint), "agent_key": None, "target_ids": [NEW_TARGET.id]
        }  # fmt: skip
    assert rows(world) == before
    (moved,) = world.client.devices()
    assert moved["device"]["fingerprint"] == NEW.fingerprint
    assert moved["created_unix_s"] == device["created_unix_s"]
    (target,) = world.client.targets()
    assert (target["id"], target["offered"], target["measurements"]) == (NEW_TARGET.id, True, 1)
    assert world.client.microbench(NEW_TARGET.id) is not None
    late = agent.result(leased["id"], leased["lease_token"], measurement(leased["graph"], ms=5.0))
    assert late["state"] == "done", "an agent that kept a result from before the move delivers it"
    stored = world.client.measurement(late["measurement_id"])
    assert stored == measurement(leased["graph"], target=NEW_TARGET, ms=5.0)
    assert world.client.measurement(world.client.job(done["id"])["result"]["measurement_id"]).target == NEW_TARGET
    waiting = agent.lease(wait_s=0)
    assert waiting is not None


def test_callers_find_a_target_by_the_id_that_it_had(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    work_of_an_agent(world, keys["agent"])
    world.client_with(keys["agent"]).register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    assert world.client.target(TARGET.id)["id"] == NEW_TARGET.id
    assert len(list(world.client.measurements(TARGET.id))) == 1
    assert world.client.microbench(TARGET.id) is not None
    (made,) = world.client.profile(TARGET.id, graphs=[world.graph()])
    assert world.client.job(made["id"])["target"] == NEW_TARGET.id
    assert {job["id"] for job in world.client.jobs(target=TARGET.id)} == {job["id"] for job in world.client.jobs()}


def test_an_agent_of_version_0_1_goes_on_after_the_move(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    agent = world.client_with(keys["agent"])
    agent.register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    later = replace(TARGET, backend_version="2")
    moved = replace(later, device=NEW.fingerprint)
    answer = agent.register(DEVICE, [TARGET, later])
    assert answer["target_ids"] == [NEW_TARGET.id, moved.id]
    (device,) = world.client.devices()
    assert device["device"]["fingerprint"] == NEW.fingerprint
    agent.put_microbench(Microbench(target=later, values={"gemm_ms": 1.0}, spread={"gemm_ms": 0.0}))
    graph = world.graph()
    world.client.profile(moved.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    receipt = agent.result(job["id"], job["lease_token"], measurement(graph, target=later))
    assert world.client.measurement(receipt["measurement_id"]).target == moved


@pytest.mark.parametrize(
    "hardware",
    [{"processor": "Another CPU"}, {"cache_bytes": {"L1d": 49152}}, {"features": ("avx2", "avx512f")}],
)
def test_a_copied_image_on_other_hardware_is_another_device(
    keyed: tuple[World, dict[str, str]], hardware: dict[str, object]
) -> None:
    world, keys = keyed
    clone = replace(NEW, **hardware)
    with pytest.raises(AuthenticationError, match=r"another machine.*needs a token of its own"):
        world.client_with(keys["agent"]).register(clone, [], former_fingerprint=FORMER)
    token = world.client.create_enrolment_token()["enrolment_token"]
    made = world.client_with(None).register(clone, [NEW_TARGET], enrolment_token=token, former_fingerprint=FORMER)
    assert made["agent_key"]
    first, second = sorted(world.client.devices(), key=lambda device: device["created_unix_s"])
    assert (first["device"], second["device"]["fingerprint"]) == (
        {**first["device"], "fingerprint": FORMER},
        NEW.fingerprint,
    )
    assert world.client.target(TARGET.id)["id"] == TARGET.id


def test_a_former_fingerprint_takes_nobody_over(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    token = world.client.create_enrolment_token()["enrolment_token"]
    with pytest.raises(AuthenticationError, match="registered already"):
        world.client_with(None).register(NEW, [], enrolment_token=token, former_fingerprint=FORMER)
    other = replace(DEVICE, fingerprint="machine-2", name="other")
    key = world.client_with(None).register(other, [], enrolment_token=token)["agent_key"]
    for thief in (key, keys["client"], None):
        with pytest.raises(AuthenticationError):
            world.client_with(thief).register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    assert {device["device"]["fingerprint"] for device in world.client.devices()} == {FORMER, "machine-2"}


def test_a_device_that_lost_its_key_moves_with_a_token_made_for_it(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    work_of_an_agent(world, keys["agent"])
    token = world.client.create_enrolment_token(device=DEVICE.name)["enrolment_token"]
    made = world.client_with(None).register(NEW, [NEW_TARGET], enrolment_token=token, former_fingerprint=FORMER)
    assert world.client_with(made["agent_key"]).lease(wait_s=0) is not None
    with pytest.raises(AuthenticationError):
        world.client_with(keys["agent"]).lease(wait_s=0)


def test_a_step_of_the_service_begins_anew_when_its_target_moves(world: World) -> None:
    agent, mine = world.agent(), queue.Worker(process="tests")
    with world.database.write.begin() as session:
        payload = AdaptPayload(samples=1, sampler="random", pool=Pool(), settings={}, seed=0)
        queue.enqueue(session, payload, max_attempts=3, target_id=TARGET.id)
        job = queue.lease(session, kinds={payload.kind}, worker=mine, lease_seconds=60)
        assert job is not None
    agent.register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    with world.database.write.begin() as session:
        with pytest.raises(LeaseLostError):
            queue.require_open(*queue.reported(session, job.id, job.lease_token or ""))
        again = queue.lease(session, kinds={payload.kind}, worker=mine, lease_seconds=60)
        assert again is not None
        assert (again.id, again.target_id, again.attempts) == (job.id, NEW_TARGET.id, 1)


def test_former_ids_of_targets_of_other_machines_stay(world: World) -> None:
    world.agent()
    other = replace(DEVICE, fingerprint="machine-2", processor="Another CPU")
    world.client.register(other, [Target(device="machine-2", backend="fake")])
    world.client.register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    with world.database.read() as session:
        formers = {row.id: row.former_id for row in session.scalars(select(tables.Target))}
    assert formers == {NEW_TARGET.id: TARGET.id, Target(device="machine-2", backend="fake").id: None}


def test_adaptations_follow_a_base_whose_targets_are_called_otherwise(world: World) -> None:
    """They are kept without what the base has, too: where that is kept anew, they have to find it."""
    world.agent()
    other = world.client.register(replace(DEVICE, fingerprint="other", name="other"), [replace(TARGET, device="other")])
    numbers = np.arange(1000.0)
    base = Artifact(kind="flops", hyperparameters={}, arrays={"numbers": numbers}, vocabulary={"targets": [TARGET.id]})
    with world.database.write.begin() as session:
        digest = put_artifact(session, base)
        predictor = tables.Predictor(kind="flops", artifact_digest=digest, metrics={})
        session.add(predictor)
        session.flush()
        for target_id in (TARGET.id, *other["target_ids"]):
            own = replace(base, meta={"target": target_id})
            session.add(
                tables.Adaptation(
                    predictor_id=predictor.id, target_id=target_id, support=[], active=True, metrics={},
                    artifact_digest=put_artifact(session, own, base=digest),
                )
            )  # fmt: skip
    world.client.register(NEW, [NEW_TARGET], former_fingerprint=FORMER)
    with world.database.read() as session:
        found = {
            row.target_id: read_artifact(session, row.artifact_digest)
            for row in session.scalars(select(tables.Adaptation))
        }
        assert session.scalar(select(func.count()).select_from(tables.Artifact)) == 3
    assert set(found) == {NEW_TARGET.id, *other["target_ids"]}
    for target_id, artifact in found.items():
        assert artifact.meta == {"target": target_id}
        np.testing.assert_array_equal(artifact.array("numbers"), numbers)
