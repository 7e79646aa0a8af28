"""Queries as the service makes them: what predictors read of their graphs is there before one is asked."""

from latcast.schema import Architecture, Graph, GraphHash, LatcastError, Target
from predictors.base import Predictor, Query
from predictors.networks import RECORD, Feature, GraphFeatures
from profilers.onnx_graph.isolated.pool import ForeignModel

__all__ = ["NetworkQuery", "reads_natively", "wants_graph"]


class NetworkQuery(Query):
    """A query about a network that is known by a text, by the hash of its stored graph, by a model, or by several.

    `service.graphs.resolver.Resolver` gives it what the predictor that will answer reads of its graph.

    Args:
        target: where the network would run.
        architecture: a text of a search space, in normal form.
        graph_hash: of a graph that is stored, or that a caller sent; None where the text is all that is known.
        model: that a caller sent.
        network: what was read of the graph.
    """

    def __init__(
        self,
        *,
        target: Target,
        architecture: Architecture | None = None,
        graph_hash: GraphHash | None = None,
        model: ForeignModel | None = None,
        network: GraphFeatures | None = None,
    ) -> None:
        if architecture is None and graph_hash is None:
            raise LatcastError("A query about a network needs its text or the hash of its graph.")
        self.target, self.architecture, self.graph_hash = target, architecture, graph_hash
        self.model, self._network, self._graph = model, network, None

    @property
    def network(self) -> GraphFeatures:
        """What was read of its graph."""
        if self._network is None:
            raise LatcastError("A predictor asked for a graph that was not read: Resolver.readable reads it.")
        return self._network

    @property
    def features(self) -> frozenset[Feature]:
        """What was read of its graph already."""
        return frozenset() if self._network is None else frozenset(self._network.features)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people should be told of its graph, where it was read."""
        return () if self._network is None else self._network.remarks

    @property
    def is_complete(self) -> bool:
        """Whether its graph was read."""
        return self._network is not None

    @property
    def has_graph(self) -> bool:
        """Whether its graph was read and is one that was stored or sent, rather than built from a text."""
        return self.graph_hash is not None and self.is_complete

    def reading(self, network: GraphFeatures) -> "NetworkQuery":
        """The same query with what was read of its graph."""
        return NetworkQuery(
            target=self.target,
            architecture=self.architecture,
            graph_hash=self.graph_hash,
            model=self.model,
            network=network,
        )

    def on(self, target: Target) -> "NetworkQuery":
        """The same network on another target."""
        return NetworkQuery(
            target=target,
            architecture=self.architecture,
            graph_hash=self.graph_hash,
            model=self.model,
            network=self._network,
        )

    def _build(self) -> Graph:
        graph: Graph = self.network.feature(RECORD)
        return graph


def reads_natively(predictor: Predictor, space: str) -> bool:
    """Whether it reads architectures of the search space as they are, without a graph being built."""
    capabilities = predictor.fitted_capabilities()
    return "architecture" in capabilities.inputs and space in capabilities.spaces


def wants_graph(predictor: Predictor, query: Query) -> bool:
    """Whether the predictor reads the query's graph rather than its text."""
    return query.architecture is None or not reads_natively(predictor, query.architecture.space)
