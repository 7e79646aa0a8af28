"""Adaptation from the request to the forecast, over both databases, with a scripted agent."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from latcast.client import Client
from latcast.errors import ConflictError
from latcast.schema import Failure, Graph
from predictors.base import LatencyDataset, Query
from predictors.kinds.flops import FlopsPredictor
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.app import create_app
from service.db import tables
from service.forecasting.forecaster import Forecaster
from service.graphs.resolver import Resolver
from service.jobs import queue
from service.learning import adaptation, datasets
from service.learning.artifacts import put_artifact
from service.settings import Settings
from tests.service.helpers import CELL, TARGET, DirectReader, World, measurement, model

SAMPLES = 4


def latency_ms(graph: Graph, *, speed: float = 1.0) -> float:
    """What the scripted machine takes: an overhead and its FLOPs."""
    return speed * (0.05 + graph.flops / 20e6)


@pytest.fixture(scope="session")
def base() -> FlopsPredictor:
    """Trained on NAS-Bench-201 cells of a machine three times as slow."""
    space, rng = get_space("nasbench201"), np.random.default_rng(5)
    graphs = [load_graph(space.to_onnx(space.sample(rng))) for _ in range(12)]
    data = LatencyDataset(
        queries=[Query(target=TARGET, graph=graph) for graph in graphs],
        latency_ms=np.array([latency_ms(graph, speed=3.0) for graph in graphs]),
    )
    return FlopsPredictor().fit(data)


class AdaptingWorld(World):
    """A world whose steps are taken by hand."""

    @property
    def forecaster(self) -> Forecaster:
        found: Forecaster = self.app.state.parts.forecaster
        return found

    def request(self, **given: Any) -> str:
        body = {"samples": SAMPLES, "sampler": "random", "pool": {"space": "nasbench201"}, **given}
        return str(self.client.adapt(TARGET.id, **body)["id"])

    def work(self, agent: Client, *, speed: float = 1.0, drifting: bool = False) -> int:
        """Do every job there is, as the machine would; a drifting one takes twice as long for every fourth."""
        done = 0
        while (job := agent.lease(wait_s=0)) is not None:
            graph = load_graph(agent.model(job["graph"]))
            slow = 2.0 if drifting and done % 4 == 3 else 1.0
            found = measurement(
                graph.hash,
                ms=latency_ms(graph, speed=speed * slow),
                sentinel_ms=(0.1 * slow,) if drifting else (),
                at_unix_s=60.0 * done,
            )
            agent.result(job["id"], job["lease_token"], found)
            done += 1
        return done


@pytest.fixture
def world(database_url: str, tmp_path: Path, base: FlopsPredictor, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(adaptation, "POOL_PER_SPACE", 12)
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 0.0)
    settings = Settings(
        database_url=database_url,
        data_dir=tmp_path,
        tick_seconds=3600,
        learn_seconds=0,
        log_level="error",
        rate_per_second=0,
    )
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        database = app.state.parts.database
        with database.write.begin() as session:
            digest = put_artifact(session, base.to_artifact())
            session.add(tables.Predictor(kind="flops", artifact_digest=digest, metrics={}))
        client = Client("http://testserver", transport=http._transport)
        yield AdaptingWorld(app=app, settings=settings, database=database, http=http, client=client)


def adapted(world: AdaptingWorld, *, speed: float = 1.0, drifting: bool = False, **given: Any) -> dict[str, Any]:
    agent = world.agent()
    job = world.request(**given)
    assert world.step()
    assert world.work(agent, speed=speed, drifting=drifting) == SAMPLES
    assert world.step()
    return world.client.job(job)


@pytest.mark.slow
def test_from_request_to_forecast(world: AdaptingWorld) -> None:
    world.agent()
    truth = latency_ms(load_graph(get_space("nasbench201").to_onnx(get_space("nasbench201").parse(CELL))))
    before = world.client.predict(TARGET.id, [{"space": "nasbench201", "text": CELL}])[0]
    job = adapted(world)
    after = world.client.predict(TARGET.id, [{"space": "nasbench201", "text": CELL}])[0]

    assert job["state"] == "done"
    assert job["result"]["support"] == SAMPLES
    assert job["children"] == {"done": SAMPLES}
    assert (before["adapted"], after["adapted"]) == (False, True)
    assert before["latency_ms"] > 2 * truth
    assert after["latency_ms"] == pytest.approx(truth, rel=0.15)
    assert after["interval_ms"][0] < after["latency_ms"] < after["interval_ms"][1]
    assert world.client.target(TARGET.id)["adaptation"]["id"] == job["result"]["adaptation_id"]


@pytest.mark.slow
def test_the_error_of_an_adaptation_is_that_of_networks_left_out(world: AdaptingWorld, base: FlopsPredictor) -> None:
    result = adapted(world)["result"]
    with world.database.read() as session:
        row = session.get(tables.Adaptation, result["adaptation_id"])
        assert row is not None
        data = datasets.load_dataset(session, measurement_ids=row.support, baseline_speed=True)
        assert row.metrics["support_loo_median_ape"] == result["support_loo_median_ape"]
    support = Resolver(world.database, DirectReader()).readable_rows(data, base)
    errors = []
    for left_out in range(SAMPLES):
        others = base.adapt(TARGET, support.subset([place for place in range(SAMPLES) if place != left_out]))
        forecast = others.predict([support.queries[left_out]]).median_ms[0]
        errors.append(abs(forecast / support.latency_ms[left_out] - 1))
    assert result["support_loo_median_ape"] == pytest.approx(np.median(errors))
    assert result["support_median_ape"] == result["support_loo_median_ape"]


@pytest.mark.slow
def test_one_network_tells_no_error(world: AdaptingWorld) -> None:
    world.agent()
    job = world.request(samples=1)
    world.step()
    with world.agent() as agent:
        assert world.work(agent) == 1
    world.step()
    assert world.client.job(job)["result"]["support_loo_median_ape"] is None


@pytest.mark.slow
def test_whoever_sees_the_job_done_is_answered_by_its_adaptation(
    world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long what answers for a target is otherwise remembered."""
    monkeypatch.setattr("service.learning.catalogue.REFRESH_SECONDS", 3600.0)
    world.agent()
    item = {"space": "nasbench201", "text": CELL}
    before = world.client.predict(TARGET.id, [item])[0]
    assert adapted(world)["state"] == "done"
    after = world.client.predict(TARGET.id, [item])[0]
    assert (before["adapted"], after["adapted"]) == (False, True)


@pytest.mark.slow
def test_a_host_that_drifts_meanwhile_is_adapted_to_at_its_usual_speed(world: AdaptingWorld) -> None:
    steady = adapted(world)["result"]
    cell = {"space": "nasbench201", "text": CELL}
    expected = world.client.predict(TARGET.id, [cell])[0]["latency_ms"]
    drifting = adapted(world, drifting=True)["result"]
    # Four networks more, a quarter of them at half the speed, which would be 12 % if nobody looked at the sentinel.
    assert world.client.predict(TARGET.id, [cell])[0]["latency_ms"] == pytest.approx(expected, rel=0.02)
    assert (steady["sentinel_ms"], drifting["sentinel_ms"]) == (None, pytest.approx(0.1))


def test_support_is_distinct_never_degenerate_and_depends_on_the_seed(world: AdaptingWorld) -> None:
    space = get_space("nasbench201")
    world.agent()
    chosen = []
    for seed in (0, 0, 1):
        job = world.request(seed=seed)
        world.step()
        with world.database.read() as session:
            hashes = [child.graph_hash for child in queue.children(session, job)]
            rows = select(tables.Architecture).where(tables.Architecture.graph_hash.in_(hashes))
            architectures = [space.parse(row.text) for row in session.scalars(rows)]
        assert len(set(hashes)) == SAMPLES
        assert not any(space.is_degenerate(architecture) for architecture in architectures)
        chosen.append(set(hashes))
        world.client.cancel(job)
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.slow
def test_pool_of_uploaded_graphs(world: AdaptingWorld) -> None:
    hashes = [world.client.upload_graph(model(width))["hash"] for width in range(1, 7)]
    job = adapted(world, pool={"graphs": hashes})
    with world.database.read() as session:
        assert {child.graph_hash for child in queue.children(session, job["id"])} <= set(hashes)
    assert job["state"] == "done"


@pytest.mark.slow
def test_measured_graphs_are_answered_with_their_measurement(world: AdaptingWorld) -> None:
    job = adapted(world)
    with world.database.read() as session:
        graph_hash = queue.children(session, job["id"])[0].graph_hash
        text = session.scalar(select(tables.Architecture.text).where(tables.Architecture.graph_hash == graph_hash))
    by_text, by_hash = world.client.predict(TARGET.id, [{"space": "nasbench201", "text": text}, {"graph": graph_hash}])
    assert by_text == by_hash
    assert by_text["source"] == "measured"
    assert by_text["predictor"] is None
    low, high = by_text["interval_ms"]
    assert low < by_text["latency_ms"] < high


def test_one_bad_item_spoils_no_other(world: AdaptingWorld) -> None:
    world.agent()
    answers = world.client.predict(
        TARGET.id,
        [
            {"space": "nasbench201", "text": CELL},
            {"space": "nasbench201", "text": "|nor_conv_9x9~0|"},
            {"space": "nowhere", "text": CELL},
            {"graph": "g1-unknown"},
            {"onnx": "AAAA"},
            {"onnx": "not base64"},
            {"space": "nasbench201", "text": CELL},
        ],
    )
    assert answers[0] == answers[6]
    assert answers[0]["latency_ms"] > 0
    for answer, word in zip(answers[1:6], ("nor_conv_9x9", "nowhere", "g1-unknown", "", ""), strict=True):
        assert 400 <= answer["error"]["status"] < 500
        assert word in answer["error"]["detail"]
        assert answer["error"]["detail"].endswith(".")


@pytest.mark.slow
def test_a_second_adaptation_takes_over_and_the_first_is_kept(world: AdaptingWorld) -> None:
    first = adapted(world)
    second = adapted(world, speed=2.0, seed=7)
    with world.database.read() as session:
        rows = {row.id: row.active for row in session.scalars(select(tables.Adaptation))}
    assert rows == {first["result"]["adaptation_id"]: False, second["result"]["adaptation_id"]: True}


@pytest.mark.slow
def test_corrupt_artifact_is_refused_and_the_previous_one_serves_on(world: AdaptingWorld) -> None:
    adapted(world)
    item = [{"space": "nasbench201", "text": CELL}]
    before = world.client.predict(TARGET.id, item)
    with world.database.write.begin() as session:
        broken = tables.Artifact(digest="0" * 64, content=b"rubbish")
        session.add(broken)
        session.flush()
        session.execute(update(tables.Adaptation).values(artifact_digest=broken.digest))
    assert world.client.predict(TARGET.id, item) == before


def test_without_any_predictor_the_answer_says_what_to_do(
    world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.learning.catalogue.shipped_bases", tuple)
    world.agent()
    with world.database.write.begin() as session:
        session.execute(update(tables.Predictor).values(active=False))
    with pytest.raises(ConflictError, match=f"latcast adapt --target {TARGET.id}"):
        world.client.predict(TARGET.id, [{"space": "nasbench201", "text": CELL}])


def test_two_processes_take_a_step_once(world: AdaptingWorld) -> None:
    world.agent()
    job = world.request()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: world.step(), range(4)))
    with world.database.read() as session:
        assert len(queue.children(session, job)) == SAMPLES


@pytest.mark.slow
def test_a_process_that_dies_in_a_step_is_followed_by_another(
    world: AdaptingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent()
    job = world.request()

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "choose_queries", die)
        with pytest.raises(SystemExit):
            world.step()
    assert world.client.job(job)["state"] == "leased"
    assert not world.step()  # the dead process's lease still holds
    with world.database.write.begin() as session:
        assert queue.expire(session, now=time.time() + 1000) == 1
    assert world.step()
    world.work(agent)
    world.step()
    finished = world.client.job(job)
    assert finished["state"] == "done"
    assert [reason["outcome"] for reason in finished["reasons"]] == ["expired", "released", "done"]
    assert [reason["process"] for reason in finished["reasons"]] == ["tests"] * 3
    assert finished["attempts"] == 2


def test_a_cancelled_job_stays_cancelled(world: AdaptingWorld) -> None:
    agent = world.agent()
    job = world.request()
    world.step()
    world.client.cancel(job)
    assert agent.lease(wait_s=0) is None
    assert not world.step()
    assert world.client.job(job)["state"] == "cancelled"


def test_too_few_measured_graphs_fail_with_the_reasons(world: AdaptingWorld) -> None:
    agent = world.agent()
    job = world.request()
    world.step()
    for index in range(SAMPLES):
        lease = agent.lease(wait_s=0)
        assert lease is not None
        if index == 0:
            graph = load_graph(agent.model(lease["graph"]))
            agent.result(lease["id"], lease["lease_token"], measurement(graph.hash))
        else:
            failure = Failure(stage="memory", message="It needs more memory than there is.")
            agent.failure(lease["id"], lease["lease_token"], failure)
    world.step()
    done = world.client.job(job)
    assert done["state"] == "failed"
    assert "1 of 4" in done["result"]["error"]
    assert "more memory than there is" in done["result"]["error"]


def test_a_pool_that_is_too_small_fails_with_a_sentence(world: AdaptingWorld) -> None:
    world.agent()
    job = world.request(pool={"graphs": [world.client.upload_graph(model(3))["hash"]]})
    world.step()
    assert "fewer than the 4 samples" in world.client.job(job)["result"]["error"]


@pytest.mark.slow
def test_a_second_adaptation_measures_other_networks_and_rests_on_those_of_both(world: AdaptingWorld) -> None:
    first, second = adapted(world), adapted(world)
    with world.database.read() as session:
        chosen = [{child.graph_hash for child in queue.children(session, job["id"])} for job in (first, second)]
    assert not chosen[0] & chosen[1]
    assert [job["result"]["support"] for job in (first, second)] == [SAMPLES, 2 * SAMPLES]


@pytest.mark.slow
def test_networks_that_anybody_had_measured_count(world: AdaptingWorld) -> None:
    agent = world.agent()
    texts = [get_space("nasbench201").sample(np.random.default_rng(seed)).text for seed in range(90, 96)]
    world.client.profile(TARGET.id, architectures=[("nasbench201", text) for text in texts])
    world.work(agent)
    assert adapted(world)["result"]["support"] == 6 + SAMPLES


def test_all_of_a_pool_is_measured_again_where_nothing_in_it_is_new(world: AdaptingWorld) -> None:
    hashes = [world.client.upload_graph(model(width))["hash"] for width in range(1, 1 + SAMPLES)]
    first, second = (adapted(world, pool={"graphs": hashes}) for _ in range(2))
    assert first["result"]["support"] == second["result"]["support"] == SAMPLES


def test_quality_marks_the_support_set(world: AdaptingWorld) -> None:
    adapted(world)
    agent = world.agent()
    world.client.profile(TARGET.id, architectures=[("nasbench201", CELL)])
    world.work(agent)
    pairs = world.client.quality(TARGET.id)
    assert len(pairs) == SAMPLES + 1
    assert [pair["support"] for pair in pairs] == [True] * SAMPLES + [False]
    assert {pair["file_precision"] for pair in pairs} == {"fp32"}
