"""Queries as the service makes them: their graphs are there before a predictor is asked."""

from latcast.schema import Architecture, Graph, GraphHash, LatcastError, Target
from predictors.base import Predictor, Query

__all__ = ["NetworkQuery", "reads_natively", "wants_graph"]


class NetworkQuery(Query):
    """A query about a network that is known by a text, by the hash of its stored graph, or by both.

    `service.graphs.resolver.Resolver` gives it its graph where the predictor that will answer wants graphs.

    Args:
        target: where the network would run.
        architecture: a text of a search space, in normal form.
        graph_hash: of a graph that is stored, or that a caller sent; None where the text is all that is known.
        graph: the record, once it has been read or built.
    """

    def __init__(
        self,
        *,
        target: Target,
        architecture: Architecture | None = None,
        graph_hash: GraphHash | None = None,
        graph: Graph | None = None,
    ) -> None:
        if architecture is None and graph_hash is None:
            raise LatcastError("A query about a network needs its text or the hash of its graph.")
        self.target, self.architecture, self.graph_hash = target, architecture, graph_hash
        self._graph = graph

    @property
    def is_complete(self) -> bool:
        """Whether its graph is there."""
        return self._graph is not None

    @property
    def has_graph(self) -> bool:
        """Whether its graph is there and is one that was stored or sent, rather than built from a text."""
        return self.graph_hash is not None and self.is_complete

    def with_graph(self, graph: Graph) -> "NetworkQuery":
        """The same query with its graph."""
        return NetworkQuery(target=self.target, architecture=self.architecture, graph_hash=self.graph_hash, graph=graph)

    def _build(self) -> Graph:
        raise LatcastError("A predictor asked for a graph that the query lacks: Resolver.readable gives it one.")


def reads_natively(predictor: Predictor, space: str) -> bool:
    """Whether it reads architectures of the search space as they are, without a graph being built."""
    capabilities = predictor.fitted_capabilities()
    return "architecture" in capabilities.inputs and space in capabilities.spaces


def wants_graph(predictor: Predictor, query: Query) -> bool:
    """Whether the predictor reads the query's graph rather than its text."""
    return query.architecture is None or not reads_natively(predictor, query.architecture.space)
