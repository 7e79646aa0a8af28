"""Stored graphs: what a loader prepared goes in once, and comes out as the model without weights."""

import zlib
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from latcast.errors import NotFoundError
from latcast.schema import Architecture, InvalidArchitectureError, UnboundDimensionError, UnknownNameError
from profilers.onnx_graph import load_graph, strip_weights
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.db.session import Database
from service.graphs import store
from service.graphs.names import find_hash
from tests.service.helpers import CELL, DirectReader, World, add_row, model

TEXT = Architecture(space="nasbench201", text=CELL)


def test_a_prepared_model_is_bound_and_has_no_weights() -> None:
    prepared = store.prepare(DirectReader(), model(batch="n"), shapes={"x": (3, 8)})
    assert prepared.hash == load_graph(model(batch="n"), shapes={"x": (3, 8)}).hash
    with pytest.raises(UnboundDimensionError):
        store.prepare(DirectReader(), model(batch="n"))


def test_saving_twice_is_once(database: Database) -> None:
    prepared = store.prepare(DirectReader(), model())
    for _ in range(2):
        with database.write.begin() as session:
            assert store.save(session, prepared) == prepared.hash
    with database.read() as session:
        row = store.find(session, prepared.hash)
        assert store.model_bytes(row) == strip_weights(model())
        assert row.summary["nodes"] == 1
        with pytest.raises(NotFoundError, match="upload its model first"):
            store.find(session, "g1-none")


def test_a_text_is_stored_with_its_graph(database: Database) -> None:
    prepared = store.prepare_architecture(DirectReader(), TEXT)
    with database.write.begin() as session:
        store.save(session, prepared)
    with database.read() as session:
        assert store.architectures_of(session, [prepared.hash, "g1-none"]) == {prepared.hash: TEXT}
        row = store.find(session, prepared.hash)
        assert load_graph(store.model_bytes(row)).hash == find_hash(session, prepared.hash) == prepared.hash
        assert store.find(session, prepared.hash[:12]) is row
        with pytest.raises(NotFoundError, match="upload its model first"):
            find_hash(session, "g1-none")


def test_texts_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidArchitectureError):
        store.prepare_architecture(DirectReader(), Architecture(space="nasbench201", text="nonsense"))
    with pytest.raises(UnknownNameError):
        store.prepare_architecture(DirectReader(), Architecture(space="nowhere", text="x"))


def test_what_is_stored_is_compressed() -> None:
    prepared = store.prepare_architecture(DirectReader(), TEXT)
    assert len(prepared.model) < len(zlib.decompress(prepared.model))


def test_a_model_may_lie_in_a_file(tmp_path: Path) -> None:
    (path := tmp_path / "model.onnx").write_bytes(model())
    with path.open("rb") as file:
        assert store.prepare(DirectReader(), ModelFile(file)) == store.prepare(DirectReader(), model())


def _renamed(content: bytes) -> bytes:
    """The same graph in a file with another name of its output."""
    proto = onnx.load_from_string(content)
    proto.graph.node[-1].output[0] = proto.graph.output[0].name = "other"
    return bytes(proto.SerializeToString())


@pytest.mark.parametrize(("stage", "replaced"), [("open", True), ("timeout", False)])
def test_a_model_that_no_runtime_opened_makes_room_for_the_next_of_its_graph(
    world: World, stage: str, replaced: bool
) -> None:
    def stored() -> bytes:
        with world.database.read() as session:
            return store.model_bytes(store.find(session, graph))

    world.agent()
    first, second = model(), _renamed(model())
    graph = world.client.upload_graph(first)["hash"]
    assert world.client.upload_graph(second)["hash"] == graph
    assert stored() == strip_weights(first)
    add_row(world, graph, failure_stage=stage, failure_message="It was refused.")
    world.client.upload_graph(second)
    assert stored() == strip_weights(second if replaced else first)
    add_row(world, graph, median_ms=2.0)
    world.client.upload_graph(first)
    assert stored() == strip_weights(second if replaced else first)


def test_remarks_of_stored_graphs_are_found_by_their_hashes(database: Database) -> None:
    plain = store.prepare(DirectReader(), model())
    told = replace(plain, hash="g1-told", summary={**plain.summary, "remarks": ["It is odd."]})
    with database.write.begin() as session:
        for prepared in (plain, told):
            store.save(session, prepared)
    with database.read() as session:
        assert store.remarks(session, [plain.hash, told.hash, "g1-none"]) == {"g1-told": ("It is odd.",)}
