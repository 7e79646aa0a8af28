"""From what a caller names (a text, a hash, a model) to what a predictor reads (an architecture, a graph)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from latcast.schema import Architecture, Graph, GraphHash, InputError, Target
from predictors.base import LatencyDataset, Predictor, Query
from profilers.caching import Cache
from profilers.onnx_graph.isolated.loader import PreparedModel
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.search_spaces import get_space
from service.db.session import Database
from service.graphs import store
from service.graphs.queries import NetworkQuery, wants_graph
from service.graphs.store import GraphLoaderLike

__all__ = ["Item", "Resolver"]

CACHED_GRAPHS = 1_000
CACHED_MODELS = 500
"""Networks of texts whose models are kept too: a little more than an adaptation chooses from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One network whose latency is wanted, given in one of three ways.

    Args:
        space, text: an architecture of a search space.
        graph: hash of a graph that was uploaded before.
        onnx: an ONNX model.
        shapes: for `onnx`, the whole shape of each input with dynamic dimensions, by input name.
        dims: for `onnx`, the size of each symbol of such dimensions, by symbol.
    """

    space: str | None = None
    text: str | None = None
    graph: GraphHash | None = None
    onnx: bytes | ModelFile | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)


class Resolver:
    """Makes queries of items, with graphs for predictors that want them. Keeps graphs in memory. Thread-safe.

    Args:
        database: that holds stored models.
        loader: reads and builds models in a process with limits.
    """

    def __init__(self, database: Database, loader: GraphLoaderLike) -> None:
        self._database, self._loader = database, loader
        self._stored: Cache[GraphHash, Graph] = Cache(CACHED_GRAPHS)
        self._built: Cache[Architecture, Graph] = Cache(CACHED_GRAPHS)
        self._prepared: Cache[Architecture, PreparedModel] = Cache(CACHED_MODELS)

    def query(self, item: Item, target: Target) -> NetworkQuery:
        """The query that an item stands for; that of a text has no graph yet.

        Raises:
            InputError: the item names nothing that is known, or a model that cannot be read.
            NotFoundError: nobody uploaded the graph.
        """
        if item.onnx is not None:
            graph = self._loader.load(item.onnx, shapes=item.shapes, dims=item.dims)
            self._stored.put(graph.hash, graph)
            return NetworkQuery(target=target, graph_hash=graph.hash, graph=graph)
        if item.graph is not None:
            return NetworkQuery(target=target, graph_hash=item.graph, graph=self.stored_graph(item.graph))
        if item.space is None or item.text is None:
            raise InputError("An item needs `space` and `text`, or `graph`, or `onnx`.")
        return NetworkQuery(target=target, architecture=get_space(item.space).parse(item.text))

    def readable(self, query: Query, predictor: Predictor) -> Query:
        """The query as the predictor reads it: with its graph, unless the predictor reads its text.

        Raises:
            InputError: the network of the text cannot be built.
            NotFoundError: nobody uploaded the graph.
        """
        return self.complete(query) if wants_graph(predictor, query) else query

    def readable_rows(self, data: LatencyDataset, predictor: Predictor) -> LatencyDataset:
        """The rows as the predictor reads them; see `readable`. Call it outside of sessions: it may take seconds."""
        return replace(data, queries=[self.readable(query, predictor) for query in data.queries])

    def complete(self, query: Query) -> Query:
        """The query with its graph.

        Raises:
            InputError: the network of the text cannot be built.
            NotFoundError: nobody uploaded the graph.
        """
        if not isinstance(query, NetworkQuery) or query.is_complete:
            return query
        if query.graph_hash is not None:
            return query.with_graph(self.stored_graph(query.graph_hash))
        assert query.architecture is not None  # noqa: S101 - one of the two is there
        return query.with_graph(self.built_graph(query.architecture))

    def stored_graph(self, graph_hash: GraphHash) -> Graph:
        """The graph that was uploaded under this hash.

        Raises:
            NotFoundError: nobody uploaded it.
        """
        return self._stored.get_or_make(graph_hash, lambda: self._read(graph_hash))

    def built_graph(self, architecture: Architecture) -> Graph:
        """The graph that an architecture's text stands for.

        Raises:
            InputError: the network cannot be built.
        """
        return self._built.get_or_make(architecture, lambda: self._loader.build(architecture))

    def prepared(self, architecture: Architecture) -> PreparedModel:
        """That graph with the model that is stored of it.

        Raises:
            InputError: the network cannot be built.
        """
        return self._prepared.get_or_make(architecture, lambda: self._loader.prepare_architecture(architecture))

    def _read(self, graph_hash: GraphHash) -> Graph:
        with self._database.read() as session:
            model = store.model_bytes(store.find(session, graph_hash))
        return self._loader.load(model)
