"""A training from rows to card: what is kept, what is not done again, and what cannot be trained."""

import json
from typing import Any

import pytest

from latcast.schema import BackendUnavailableError, InputError, UnknownNameError
from predictors.artifact import Artifact
from predictors.registry import load_predictor
from service.graphs.resolver import Item, Resolver
from service.jobs.payloads import TrainPayload
from service.learning.training.trainer import ARTIFACT, CARD, RESULT, SVG, Trainer, kind_class
from tests.service.helpers import TARGET, DirectReader, World, add_row

ASKED = TrainPayload(predictor="flops", folds=2)


class Kept(dict[str, bytes]):
    """Checkpoints in memory."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def save(self, name: str, content: bytes) -> None:
        self[name] = content


@pytest.fixture
def database_url(new_sqlite: str) -> str:
    """SQLite alone."""
    return new_sqlite


def train(world: World, kept: Kept, asked: TrainPayload = ASKED) -> list[str]:
    """What was said on the way."""
    said: list[str] = []
    resolver = Resolver(world.database, DirectReader())
    Trainer(world.database, resolver, kept, lambda _share, what: said.append(what)).run(asked)
    return said


def test_what_comes_of_a_training_rebuilds_it(measured: World) -> None:
    kept = Kept()
    train(measured, kept)
    artifact = Artifact.from_bytes(kept[ARTIFACT])
    result: dict[str, Any] = json.loads(kept[RESULT])
    assert load_predictor(artifact).kind == "flops" == result["kind"]
    assert artifact.metrics["data"]["rows_digest"]
    assert artifact.metrics["data"]["chosen_by"]["folds"] == 2
    assert [target["id"] for target in artifact.metrics["data"]["targets"]] == [TARGET.id]
    assert artifact.metrics["data"]["targets"][0]["processor"] == "Some CPU"
    assert result["rows"] == result["networks"] == 5
    assert result["cross_validation"]["folds"] == 2
    assert kept[SVG].startswith(b"<svg")
    assert "Some CPU" in kept[CARD].decode()


def test_whoever_goes_on_does_not_do_again_what_is_done(measured: World) -> None:
    kept = Kept()
    train(measured, kept)
    before = dict(kept)
    assert train(measured, kept) == [], "there is a result"
    for name in (ARTIFACT, CARD, SVG, RESULT):
        del kept[name]
    run = {"samples_ms": [7.0, 7.0], "peak_memory_bytes": 0}
    add_row(measured, measured.graph(7), median_ms=7.0, runs=[run])
    said = train(measured, kept)
    assert not any("by networks" in one or "choosing" in one for one in said)
    assert json.loads(kept[RESULT])["dataset_id"] == json.loads(before[RESULT])["dataset_id"]
    assert json.loads(kept[RESULT])["rows"] == 5, "the rows were frozen"


def test_a_kind_that_reads_whole_graphs_gets_them(world: World) -> None:
    pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")
    agent, kept = world.agent(), Kept()
    for width in range(1, 13):
        world.measure(agent, width, ms=float(width))
    hyperparameters = {"epochs": 2, "width": 8, "folds": 2}
    train(world, kept, TrainPayload(predictor="gcn", folds=0, hyperparameters=hyperparameters))
    assert json.loads(kept[RESULT])["rows"] == 12
    assert load_predictor(Artifact.from_bytes(kept[ARTIFACT])).hyperparameters()["width"] == 8


def test_maple_learns_from_graphs_by_what_agents_counted(world: World) -> None:
    pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")
    agent, kept = world.agent(), Kept()
    for width in range(1, 13):
        world.measure(agent, width, ms=float(width))
    small = {"epochs": 2, "width": 8, "layers": 1, "encoder_epochs": 2, "encoder_width": 8, "encoder_layers": 1}
    train(world, kept, TrainPayload(predictor="maple", folds=0, hyperparameters=small))
    artifact = Artifact.from_bytes(kept[ARTIFACT])
    assert json.loads(kept[RESULT])["rows"] == 12
    assert (artifact.vocabulary["encoder"], artifact.meta["descriptor"]) == ("graphs", "counters")
    assert artifact.vocabulary["descriptor"] == ["instructions", "instructions@MatMul"]
    predictor = load_predictor(artifact)
    resolver = Resolver(world.database, DirectReader())
    query = resolver.query(Item(graph=world.graph(20)), TARGET)
    assert predictor.predict([resolver.readable(query, predictor)]).median_ms[0] > 0


def test_what_cannot_be_trained_is_a_sentence(measured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no measurement to learn from"):
        train(measured, Kept(), TrainPayload(predictor="lookup_table"))
    with pytest.raises(InputError, match="Known: folds"):
        train(measured, Kept(), TrainPayload(predictor="flops", hyperparameters={"depth": 3}))
    with pytest.raises(UnknownNameError, match="flops"):
        kind_class("flop")

    def missing(kind: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("service.learning.training.trainer.predictor_class", missing)
    with pytest.raises(BackendUnavailableError, match=r"takes torch, which is not installed.*latcast\[torch\]"):
        kind_class("help")
