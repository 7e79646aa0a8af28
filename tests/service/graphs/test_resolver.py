"""What callers name becomes what predictors read; graphs are read and built once, by the loader alone."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from latcast.errors import NotFoundError
from latcast.schema import Architecture, Graph, InputError, InvalidArchitectureError, UnboundDimensionError
from predictors.base import LatencyDataset, Query
from predictors.registry import pretrained
from profilers.onnx_graph import PreparedModel, load_graph
from profilers.search_spaces import get_space
from service.graphs import store
from service.graphs.queries import NetworkQuery
from service.graphs.resolver import Item, Resolver
from tests.service.helpers import CELL, TARGET, DirectLoader, World, model

TEXT = Architecture(space="nasbench201", text=CELL)


class CountingLoader(DirectLoader):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def load(
        self, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None, dims: Mapping[str, int] | None = None
    ) -> Graph:
        self.calls["load"] += 1
        return super().load(model, shapes=shapes, dims=dims)

    def build(self, architecture: Architecture) -> Graph:
        self.calls["build"] += 1
        return load_graph(get_space(architecture.space).to_onnx(architecture))

    def prepare_architecture(self, architecture: Architecture) -> PreparedModel:
        self.calls["prepare"] += 1
        return super().prepare_architecture(architecture)


@pytest.fixture
def loader() -> CountingLoader:
    return CountingLoader()


@pytest.fixture
def resolver(world: World, loader: CountingLoader) -> Resolver:
    return Resolver(world.database, loader)


def test_a_text_is_parsed_and_not_built(resolver: Resolver, loader: CountingLoader) -> None:
    query = resolver.query(Item(space="nasbench201", text=CELL), TARGET)
    assert query.architecture == TEXT
    assert not query.is_complete
    assert not loader.calls
    with pytest.raises(InvalidArchitectureError):
        resolver.query(Item(space="nasbench201", text="nonsense"), TARGET)


def test_a_model_is_read_and_its_graph_kept(resolver: Resolver, loader: CountingLoader) -> None:
    query = resolver.query(Item(onnx=model(batch="n"), shapes={"x": (2, 8)}), TARGET)
    assert query.graph == load_graph(model(batch="n"), shapes={"x": (2, 8)})
    assert query.graph_hash == query.graph.hash
    assert resolver.stored_graph(query.graph.hash) is query.graph
    with pytest.raises(UnboundDimensionError):
        resolver.query(Item(onnx=model(batch="n")), TARGET)


def test_a_hash_is_of_a_stored_graph(world: World, resolver: Resolver, loader: CountingLoader) -> None:
    stored = world.graph()
    queries = [resolver.query(Item(graph=stored), TARGET) for _ in range(3)]
    assert {query.graph.hash for query in queries} == {stored}
    assert loader.calls == {"load": 1}
    with pytest.raises(NotFoundError, match="upload"):
        resolver.query(Item(graph="g1-none"), TARGET)


@pytest.mark.parametrize("item", [Item(), Item(space="nasbench201"), Item(text=CELL)])
def test_an_item_names_something(resolver: Resolver, item: Item) -> None:
    with pytest.raises(InputError, match="An item needs"):
        resolver.query(item, TARGET)


def test_only_those_who_want_graphs_get_them(resolver: Resolver, loader: CountingLoader) -> None:
    query = resolver.query(Item(space="nasbench201", text=CELL), TARGET)
    assert resolver.readable(query, pretrained("universal-nasbench201")) is query
    assert not loader.calls
    readable = [resolver.readable(query, pretrained("universal-graphs")) for _ in range(2)]
    assert readable[0].graph is readable[1].graph
    assert readable[0].architecture == TEXT
    assert loader.calls == {"build": 1}


def test_all_rows_are_made_readable(world: World, resolver: Resolver) -> None:
    queries: list[Query] = [
        NetworkQuery(target=TARGET, architecture=TEXT),
        NetworkQuery(target=TARGET, graph_hash=world.graph()),
    ]
    data = LatencyDataset(queries=queries, latency_ms=np.array([1.0, 2.0]), noise_log=np.array([0.1, 0.2]))
    readable = resolver.readable_rows(data, pretrained("universal-graphs"))
    assert [len(query.graph.nodes) > 0 for query in readable.queries] == [True, True]
    assert readable.noise_log is data.noise_log
    assert readable.latency_ms is data.latency_ms


def test_a_query_with_a_graph_stays_as_it_is(resolver: Resolver, loader: CountingLoader) -> None:
    for query in (Query(target=TARGET, graph=load_graph(model())), Query(target=TARGET, architecture=TEXT)):
        assert resolver.complete(query) is query
    assert not loader.calls


def test_a_prepared_network_is_built_once(world: World, resolver: Resolver, loader: CountingLoader) -> None:
    prepared = resolver.prepared(TEXT)
    assert resolver.prepared(TEXT) is prepared
    assert loader.calls["prepare"] == 1
    with world.database.write.begin() as session:
        stored = store.save(session, store.PreparedGraph.of(prepared, TEXT))
    assert stored == prepared.graph.hash
