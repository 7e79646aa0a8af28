"""From what a caller names (a text, a hash, a model) to what a predictor reads (an architecture, a graph)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from latcast.schema import Architecture, Graph, GraphHash, InputError, Target
from predictors.base import Query
from profilers.caching import Cache
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.db.session import Database
from service.graphs import store
from service.graphs.store import GraphLoaderLike

__all__ = ["Item", "Resolver"]

CACHED_GRAPHS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One network whose latency is wanted, given in one of three ways.

    Args:
        space, text: an architecture of a search space.
        graph: hash of a graph that was uploaded before.
        onnx: an ONNX model.
        shapes: for `onnx`, the whole shape of each input with dynamic dimensions, by input name.
    """

    space: str | None = None
    text: str | None = None
    graph: GraphHash | None = None
    onnx: bytes | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Resolver:
    """Makes queries of items. Graphs are built when a predictor asks for them, and kept. Thread-safe."""

    def __init__(self, database: Database, loader: GraphLoaderLike) -> None:
        self._database, self.loader = database, loader
        self._stored: Cache[GraphHash, Graph] = Cache(CACHED_GRAPHS)
        self._built: Cache[tuple[str, str], Graph] = Cache(CACHED_GRAPHS)

    def query(self, item: Item, target: Target) -> Query:
        """What a predictor reads of the item.

        Raises:
            InputError: the item names nothing that is known, or a model that cannot be read.
        """
        if item.onnx is not None:
            graph = self.loader.load(item.onnx, shapes=item.shapes)
            self._stored.put(graph.hash, graph)
            return Query(target=target, graph=graph)
        if item.graph is not None:
            return Query(target=target, graph=self.stored_graph(item.graph))
        if item.space is None or item.text is None:
            raise InputError("An item needs `space` and `text`, or `graph`, or `onnx`.")
        architecture = get_space(item.space).parse(item.text)
        return Query(target=target, architecture=architecture, graph_builder=self.built_graph)

    def stored_graph(self, graph_hash: GraphHash) -> Graph:
        """The graph that was uploaded under this hash.

        Raises:
            NotFoundError: nobody uploaded it.
        """
        return self._stored.get_or_make(graph_hash, lambda: self._read(graph_hash))

    def built_graph(self, architecture: Architecture) -> Graph:
        """The graph that an architecture's text stands for."""
        key = (architecture.space, architecture.text)
        return self._built.get_or_make(key, lambda: load_graph(get_space(architecture.space).to_onnx(architecture)))

    def _read(self, graph_hash: GraphHash) -> Graph:
        with self._database.read() as session:
            model = store.model_bytes(store.find(session, graph_hash))
        return load_graph(model)  # it was read within limits before it was stored
