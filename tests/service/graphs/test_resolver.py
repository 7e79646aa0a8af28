"""What callers name becomes what predictors read; models are read and built once, by the reader alone."""

import numpy as np
import pytest

from latcast.errors import NotFoundError
from latcast.schema import Architecture, InputError, InvalidArchitectureError, KernelTiming, UnboundDimensionError
from predictors.base import LatencyDataset, Query
from predictors.features.flat import FLAT
from predictors.features.kernels import ExecutionTraits, attribute_timings, kernel_table, kernels_feature
from predictors.networks import GraphFeatures
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from service.graphs import store
from service.graphs.queries import NetworkQuery
from service.graphs.resolver import Item, Resolver
from tests.service.helpers import CELL, TARGET, DirectReader, World, model

KERNELS = kernels_feature(ExecutionTraits.of(TARGET))
TEXT = Architecture(space="nasbench201", text=CELL)


@pytest.fixture
def reader() -> DirectReader:
    return DirectReader()


@pytest.fixture
def resolver(world: World, reader: DirectReader) -> Resolver:
    return Resolver(world.database, reader)


def test_a_text_is_parsed_and_not_built(resolver: Resolver, reader: DirectReader) -> None:
    query = resolver.query(Item(space="nasbench201", text=CELL), TARGET)
    assert query.architecture == TEXT
    assert not query.is_complete
    assert not reader.calls
    with pytest.raises(InvalidArchitectureError):
        resolver.query(Item(space="nasbench201", text="nonsense"), TARGET)


def test_a_model_is_read_once_with_all_that_is_wanted(resolver: Resolver, reader: DirectReader) -> None:
    item = Item(onnx=model(batch="n"), shapes={"x": (2, 8)})
    for _ in range(2):
        query = resolver.query(item, TARGET, [FLAT, KERNELS])
        assert query.graph_hash == load_graph(model(batch="n"), shapes={"x": (2, 8)}).hash
        assert query.features == {FLAT, KERNELS}
    assert reader.calls == {"read": 1, "flat": 1, "kernels": 1}
    with pytest.raises(UnboundDimensionError):
        resolver.query(Item(onnx=model(batch="n")), TARGET)


def test_what_is_missing_is_read_of_the_same_model(resolver: Resolver, reader: DirectReader) -> None:
    query = resolver.query(Item(onnx=model()), TARGET, [FLAT])
    complete = resolver.complete(query, [FLAT, KERNELS])
    assert isinstance(complete.network, GraphFeatures)
    assert set(complete.network.features) == {FLAT, KERNELS}
    assert reader.calls == {"read": 2, "flat": 1, "kernels": 1}


def test_a_hash_is_of_a_stored_graph_that_is_read_when_somebody_reads_it(
    world: World, resolver: Resolver, reader: DirectReader
) -> None:
    stored = world.graph()
    queries = [resolver.query(Item(graph=stored), TARGET) for _ in range(3)]
    assert not reader.calls
    assert {resolver.complete(query, [FLAT]).network.hash for query in queries} == {stored}
    assert reader.calls == {"read": 1, "flat": 1}
    with pytest.raises(NotFoundError, match="upload"):
        resolver.query(Item(graph="g1-none"), TARGET)


def test_no_more_is_kept_than_memory_is_given(world: World, reader: DirectReader) -> None:
    resolver = Resolver(world.database, reader, cache_bytes=4000)
    for _ in range(2):
        for width in range(1, 20):
            resolver.query(Item(onnx=model(width)), TARGET, [FLAT])
    assert reader.calls["flat"] == 38
    resolver.query(Item(onnx=model(19)), TARGET, [FLAT])
    assert reader.calls["flat"] == 38


@pytest.mark.parametrize("item", [Item(), Item(space="nasbench201"), Item(text=CELL)])
def test_an_item_names_something(resolver: Resolver, item: Item) -> None:
    with pytest.raises(InputError, match="An item needs"):
        resolver.query(item, TARGET)


def test_only_those_who_want_graphs_get_them(resolver: Resolver, reader: DirectReader) -> None:
    query = resolver.query(Item(space="nasbench201", text=CELL), TARGET)
    assert resolver.readable(query, pretrained("universal-nasbench201")) is query
    assert not reader.calls
    readable = [resolver.readable(query, pretrained("universal-graphs")) for _ in range(2)]
    assert kernel_table(readable[0].network) is kernel_table(readable[1].network)
    assert readable[0].architecture == TEXT
    assert reader.calls == {"build": 1, "kernels": 1}


def test_all_rows_are_made_readable_with_the_times_of_their_kernels(world: World, resolver: Resolver) -> None:
    queries: list[Query] = [
        NetworkQuery(target=TARGET, architecture=TEXT),
        NetworkQuery(target=TARGET, graph_hash=world.graph()),
    ]
    timings = (KernelTiming(operator="MatMul", share=1.0, time_ms=0.5, node=0),)
    data = LatencyDataset(
        queries=queries, latency_ms=np.array([1.0, 2.0]), noise_log=np.array([0.1, 0.2]), kernels=[None, timings]
    )
    readable = resolver.readable_rows(data, pretrained("universal-graphs"))
    tables = [kernel_table(query.network) for query in readable.queries]
    assert [len(table) > 1 for table in tables] == [True, True]
    assert readable.noise_log is data.noise_log
    assert readable.latency_ms is data.latency_ms
    assert readable.kernel_ms is not None
    assert readable.kernel_ms[0] is None
    assert readable.kernel_ms[1] is not None
    here = attribute_timings(load_graph(model()), timings, ExecutionTraits.of(TARGET))
    np.testing.assert_array_equal(readable.kernel_ms[1], here)
    np.testing.assert_array_equal(resolver.timings(Query(target=TARGET, graph=load_graph(model())), timings), here)


def test_a_query_with_a_graph_stays_as_it_is(resolver: Resolver, reader: DirectReader) -> None:
    for query in (Query(target=TARGET, graph=load_graph(model())), Query(target=TARGET, architecture=TEXT)):
        assert resolver.complete(query, [FLAT]) is query
    assert not reader.calls


def test_a_network_can_be_stored(world: World, resolver: Resolver) -> None:
    prepared = resolver.prepared(TEXT)
    with world.database.write.begin() as session:
        assert store.save(session, prepared) == prepared.hash
    built = resolver.complete(NetworkQuery(target=TARGET, architecture=TEXT), [])
    assert built.network.hash == prepared.hash
