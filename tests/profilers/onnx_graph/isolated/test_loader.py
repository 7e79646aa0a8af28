"""A loader answers as reading in this process does, and survives what its workers do not."""

import pytest

from latcast.schema import (
    Architecture,
    InvalidArchitectureError,
    InvalidModelError,
    LatcastError,
    UnboundDimensionError,
    UnknownNameError,
)
from profilers.onnx_graph import GraphLoader, Limits, bind_shapes, load_graph, strip_weights
from profilers.search_spaces import get_space
from tests.profilers.onnx_graph.models import proto_of, relu
from tests.profilers.onnx_graph.test_parsing import CASES

CELL = get_space("nasbench201").parse(get_space("nasbench201").example)


def test_a_loader_answers_as_load_graph_does():
    good = proto_of([relu()]).SerializeToString()
    dynamic = proto_of([relu()], shape=("n", 3)).SerializeToString()
    with GraphLoader() as loader:
        assert loader.load(good) == load_graph(good)
        assert loader.load(dynamic, shapes={"x": (4, 3)}) == load_graph(dynamic, shapes={"x": (4, 3)})
        for bad in (
            b"junk",
            dynamic,
            CASES["bomb"][0].SerializeToString(),
            good[:20],
        ):
            with pytest.raises(InvalidModelError) as there:
                loader.load(bad)
            with pytest.raises(type(there.value)) as here:
                load_graph(bad)
            assert str(there.value) == str(here.value)


def test_a_prepared_model_is_bound_and_stripped():
    dynamic = proto_of([relu()], shape=("n", 3)).SerializeToString()
    with GraphLoader() as loader:
        graph, model = loader.prepare(dynamic, shapes={"x": (4, 3)})
        with pytest.raises(UnboundDimensionError):
            loader.prepare(dynamic)
    assert model == strip_weights(bind_shapes(dynamic, {"x": (4, 3)}))
    assert graph == load_graph(model) == load_graph(dynamic, shapes={"x": (4, 3)})


def test_networks_of_texts_are_built_in_the_worker():
    written = get_space(CELL.space).to_onnx(CELL)
    with GraphLoader() as loader:
        assert loader.build(CELL) == load_graph(written)


def test_what_cannot_be_built_is_an_error_and_not_the_end():
    with GraphLoader(workers=1) as loader:
        with pytest.raises(InvalidArchitectureError, match="is missing"):
            loader.build(Architecture(space="nasbench201", text="nonsense" * 100))
        with pytest.raises(UnknownNameError, match="nowhere"):
            loader.build(Architecture(space="nowhere", text="x"))
        assert loader.build(CELL).nodes


def test_limits_hold_for_built_networks_too():
    with GraphLoader(limits=Limits(nodes=3)) as loader, pytest.raises(InvalidModelError, match="nodes"):
        loader.build(CELL)


@pytest.mark.slow
def test_a_loader_survives_timeouts_and_memory():
    model = proto_of([relu("x", "t0"), *(relu(f"t{at}", f"t{at + 1}") for at in range(90_000))], outputs=("t1",))
    good = proto_of([relu()]).SerializeToString()
    with GraphLoader(timeout_s=1.0, memory_bytes=2**30) as loader:
        with pytest.raises(InvalidModelError, match=r"longer than 1 s"):
            loader.load(model.SerializeToString())
        assert loader.load(good).operators == {"Relu": 1}
    with GraphLoader(memory_bytes=2**24) as small, pytest.raises(InvalidModelError, match=r"memory|crashed"):
        small.load(model.SerializeToString() + bytes(2**25))


def test_the_same_bytes_again_are_not_read_again():
    dynamic = proto_of([relu()], shape=("n", 3)).SerializeToString()
    with GraphLoader() as loader:
        first = loader.load(dynamic, shapes={"x": (3, 3)})
        assert loader.load(bytes(bytearray(dynamic)), shapes={"x": (3, 3)}) is first
        assert loader.load(dynamic, shapes={"x": (4, 3)}).hash != first.hash
        with pytest.raises(InvalidModelError):
            loader.load(dynamic)


def test_a_closed_loader_says_so():
    loader = GraphLoader()
    loader.close()
    loader.close()
    with pytest.raises(LatcastError, match="closed"):
        loader.load(proto_of([relu()]).SerializeToString())
