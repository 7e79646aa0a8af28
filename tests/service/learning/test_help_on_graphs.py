"""HELP from measurements of graphs: trained from the database, adapted to another target, and asked over REST."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")

from latcast.client import Client
from latcast.schema import Target
from predictors.artifact import Artifact
from profilers.onnx_graph import load_graph
from profilers.search_spaces.zoo.references import reference_networks
from service.app import create_app
from service.db import tables
from service.graphs.resolver import Resolver
from service.jobs.payloads import TrainPayload
from service.learning.artifacts import put_artifact
from service.learning.training.trainer import ARTIFACT, Trainer
from service.settings import Settings
from tests.service.helpers import OTHER_TARGET, TARGET, DirectReader, World, measurement

SMALL = {"episodes": 20, "width": 8, "evaluate_every": 10, "samples": 2, "support_rows": 10,
         "encoder_epochs": 2, "encoder_width": 8, "encoder_layers": 1}  # fmt: skip
NEW = OTHER_TARGET.id


@pytest.fixture
def world(new_sqlite: str, tmp_path: Path) -> Iterator[World]:
    settings = Settings(
        database_url=new_sqlite, data_dir=tmp_path, tick_seconds=3600, log_level="error", rate_per_second=0
    )
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        client = Client("http://testserver", transport=http._transport)
        yield World(app=app, settings=settings, database=app.state.parts.database, http=http, client=client)


class Kept(dict[str, bytes]):
    """Checkpoints in memory."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def save(self, name: str, content: bytes) -> None:
        self[name] = content


def references(world: World) -> list[str]:
    """Hashes of the reference networks, which are stored by their texts."""
    return [str(world.client.upload_architecture(one.space, one.text)["hash"]) for one in reference_networks()]


def work(agent: Client, target: Target, *, speed: float) -> list[str]:
    """Do every job there is: an overhead and the FLOPs. Hashes of what was measured."""
    done = []
    while (job := agent.lease(wait_s=0)) is not None:
        graph = load_graph(agent.model(job["graph"]))
        found = measurement(graph.hash, target=target, ms=speed * (0.05 + graph.flops / 2e7))
        agent.result(job["id"], job["lease_token"], found)
        done.append(graph.hash)
    return done


def trained(world: World) -> str:
    """Id of a predictor that learned from the references and five graphs on one target."""
    agent = world.agent((TARGET, OTHER_TARGET))
    graphs = references(world)
    graphs += [world.graph(width) for width in range(2, 7)]
    world.client.profile(TARGET.id, graphs=graphs)
    assert len(work(agent, TARGET, speed=1.0)) == 15
    kept = Kept()
    Trainer(world.database, Resolver(world.database, DirectReader()), kept, lambda *_: None).run(
        TrainPayload(predictor="help", folds=0, hyperparameters=SMALL)
    )
    artifact = Artifact.from_bytes(kept[ARTIFACT])
    assert artifact.vocabulary["encoder"] == "graphs"
    assert artifact.meta["descriptor"] == "reference_latency_ms"
    assert {key.partition(":")[2] for key in artifact.vocabulary["references"]} == {
        one.text for one in reference_networks()
    }
    with world.database.write.begin() as session:
        digest = put_artifact(session, artifact)
        session.add(row := tables.Predictor(kind="help", artifact_digest=digest, metrics={}, active=False))
        session.flush()
        return row.id


@pytest.mark.slow
def test_an_adaptation_measures_the_references_that_are_missing_and_answers_say_what_describes_the_device(
    world: World,
) -> None:
    predictor = trained(world)
    agent = world.agent((TARGET, OTHER_TARGET))
    first, *others = references(world)
    world.client.profile(NEW, graphs=[first])
    assert work(agent, OTHER_TARGET, speed=3.0) == [first]
    job = world.client.adapt(NEW, samples=10, sampler="random", pool={"space": "zoo"}, predictor="help")
    assert world.step()
    measured = work(agent, OTHER_TARGET, speed=3.0)
    assert set(others) <= set(measured)
    assert first not in measured
    assert len(measured) == 10, "nine references, and one that the sampler chose"
    assert world.step()
    assert world.client.job(job["id"])["state"] == "done", json.dumps(world.client.job(job["id"]))
    new = world.graph(9)
    answer = world.client.predict(NEW, [{"graph": new}])[0]
    assert (answer["kind"], answer["adapted"], answer["descriptor"]) == ("help", True, "reference_latency_ms")
    pinned = world.client.predict(NEW, [{"graph": new}], predictor="help")[0]
    assert (pinned["predictor"], pinned["descriptor"]) == (predictor, "reference_latency_ms")
    assert pinned["latency_ms"] > 0


def test_contenders_measure_the_references_of_one_of_them_and_do_without_where_samples_are_few(world: World) -> None:
    world.client.activate_predictor(trained(world))
    agent = world.agent((TARGET, OTHER_TARGET))
    few = world.client.adapt(NEW, samples=4, sampler="random", pool={"space": "zoo"})
    assert world.step()
    first = work(agent, OTHER_TARGET, speed=3.0)
    assert len(first) == 4
    assert world.step()
    assert world.client.job(few["id"])["state"] == "done", json.dumps(world.client.job(few["id"]))
    names = set(references(world))
    missing = names - set(first)
    job = world.client.adapt(NEW, samples=11, sampler="random", pool={"space": "zoo"})
    assert world.step()
    measured = work(agent, OTHER_TARGET, speed=3.0)
    assert missing <= set(measured)
    assert len(measured) == 11
    assert world.step()
    done = world.client.job(job["id"])
    assert done["state"] == "done", json.dumps(done)
    standings = {one["kind"]: one for one in done["result"]["contenders"]}
    assert set(standings) == {"help", "universal"}
    assert standings["help"]["refused"] == ""
    assert standings["help"]["adapt_ms"] > 0


def test_one_that_is_asked_for_by_name_needs_its_references(world: World) -> None:
    trained(world)
    agent = world.agent((TARGET, OTHER_TARGET))
    refused = world.client.adapt(NEW, samples=4, pool={"space": "zoo"}, predictor="help")
    assert world.step()
    assert "measures 10 references: ask for so many samples" in world.client.job(refused["id"])["result"]["error"]
    world.client.profile(NEW, graphs=references(world)[:7])
    assert len(work(agent, OTHER_TARGET, speed=3.0)) == 7
    job = world.client.adapt(NEW, samples=4, sampler="random", pool={"space": "zoo"}, predictor="help")
    assert world.step()
    assert set(references(world)[7:]) <= set(work(agent, OTHER_TARGET, speed=3.0))
    assert world.step()
    assert world.client.job(job["id"])["state"] == "done", "only those that are missing count against the samples"
