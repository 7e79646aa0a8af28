"""Models in files: read as models in memory are, without being held."""

import io
from hashlib import blake2b

from profilers.onnx_graph.isolated.cache import KnownModels, model_key
from profilers.onnx_graph.isolated.loader import GraphLoader
from profilers.onnx_graph.isolated.model_file import PIECE_BYTES, ModelFile, whole
from tests.service.helpers import model


def test_pieces_are_the_bytes_in_order_however_often_they_are_read() -> None:
    content = bytes(range(256)) * (PIECE_BYTES // 100)
    file = ModelFile(io.BytesIO(content))
    assert len(file) == len(content)
    for _ in range(2):
        assert b"".join(file) == content
    assert max(map(len, file)) == PIECE_BYTES
    assert file.digest() == blake2b(content).digest()
    assert whole(file) == whole(content) == content


def test_several_models_share_a_file() -> None:
    shared = io.BytesIO(b"one" + b"three" + b"two")
    one, three, rest = ModelFile(shared, size=3), ModelFile(shared, start=3, size=5), ModelFile(shared, start=8)
    assert [len(model) for model in (one, three, rest)] == [3, 5, 3]
    pieces = zip(three, one, rest, strict=True)  # each knows its own place
    assert list(pieces) == [(b"three", b"one", b"two")]
    assert list(ModelFile(shared, start=8, size=100)) == [b"two"]


def test_a_loader_reads_a_file_as_it_reads_bytes() -> None:
    with GraphLoader() as loader:
        file = ModelFile(io.BytesIO(model(batch="n")))
        shapes = {"x": (3, 8)}
        assert loader.load(file, shapes=shapes) == loader.load(model(batch="n"), shapes=shapes)
        assert loader.prepare(file, shapes=shapes) == loader.prepare(model(batch="n"), shapes=shapes)


def test_a_file_that_was_read_before_is_known_by_its_digest() -> None:
    seen: KnownModels[int] = KnownModels(10_000)
    seen.keep(model_key(ModelFile(io.BytesIO(b"one"))), 1, 1)
    assert seen.get(model_key(ModelFile(io.BytesIO(b"one")))) == 1
    assert seen.get(model_key(ModelFile(io.BytesIO(b"two")))) is None
