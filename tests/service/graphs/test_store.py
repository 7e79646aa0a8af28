"""Stored graphs: what a loader prepared goes in once, and comes out as the model without weights."""

import zlib
from pathlib import Path

import pytest

from latcast.errors import NotFoundError
from latcast.schema import Architecture, InvalidArchitectureError, UnboundDimensionError, UnknownNameError
from profilers.onnx_graph import load_graph, strip_weights
from profilers.onnx_graph.isolated.model_file import ModelFile
from service.db.session import Database
from service.graphs import store
from tests.service.helpers import CELL, DirectReader, model

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
        assert load_graph(store.model_bytes(row)).hash == store.find_hash(session, prepared.hash) == prepared.hash
        with pytest.raises(NotFoundError, match="upload its model first"):
            store.find_hash(session, "g1-none")


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
