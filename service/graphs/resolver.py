"""From what callers name (texts, hashes, models) to what predictors read: architectures, or features of graphs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from latcast.schema import Architecture, Graph, GraphHash, InputError, KernelTiming, LatcastError, Target
from predictors.base import Capabilities, FloatArray, LatencyDataset, Predictor, Progress, Query
from predictors.features.kernels import ExecutionTraits, attribute_timings
from predictors.foreign.features import TIMINGS, features_asked, features_for, timings_feature, weigh
from predictors.foreign.reader import ReadsFeatures
from predictors.networks import Feature, GraphFeatures
from profilers.caching import Cache
from profilers.onnx_graph.isolated.cache import ENTRY_BYTES, model_key
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.isolated.pool import ForeignModel, ModelText, Source
from profilers.progress import no_progress
from profilers.search_spaces import get_space
from service.db.session import Database
from service.graphs import store
from service.graphs.assembler import Assembler
from service.graphs.names import find_hash
from service.graphs.part_work import WorkOfParts
from service.graphs.queries import NetworkQuery, wants_graph
from service.graphs.store import PreparedGraph

__all__ = ["Item", "Resolver"]

CACHE_BYTES = 128 * 2**20
HEADS_SHARE, HEAD_BYTES = 0.1, 400
"""What names of graphs may take beside their features, and what one takes."""
MOST_PARTS = 20_000
"""Parts of networks whose work is kept: some hundred bytes each."""
PARTS_SHARE = 0.5
"""What parts of networks may take beside the features of whole ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One network whose latency is wanted, given in one of three ways.

    Args:
        space, text: an architecture of a search space.
        graph: hash of a graph that was uploaded before, or the beginning of one, see `find_hash`.
        onnx: an ONNX model.
        shapes: for `onnx`, the whole shape of each input with dynamic dimensions, by input name.
        dims: for `onnx`, the size of each symbol of such dimensions, by symbol.
    """

    space: str | None = None
    text: str | None = None
    graph: str | None = None
    onnx: bytes | ModelFile | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)


class _Head(NamedTuple):
    """What names a graph, how large it is, and what is said of it."""

    hash: GraphHash
    flops: int
    size: int
    remarks: tuple[str, ...]


class Resolver:
    """Makes queries of items, with what predictors read of their graphs. Keeps that in memory. Thread-safe.

    Args:
        database: that holds stored models.
        reader: reads and builds models in processes with limits.
        cache_bytes: most that is kept of graphs.
    """

    def __init__(self, database: Database, reader: ReadsFeatures, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._database, self._reader = database, reader
        self._features: Cache[tuple[GraphHash, Feature], Any] = Cache(cache_bytes, weigh=_weight)
        self._heads: Cache[bytes, _Head] = Cache(int(HEADS_SHARE * cache_bytes / HEAD_BYTES))
        self._assembler = Assembler(reader, cache_bytes=int(PARTS_SHARE * cache_bytes))
        self._work = WorkOfParts(reader, most=MOST_PARTS)

    def cache_uses(self) -> dict[str, Callable[[], tuple[int, int]]]:
        """What reads (hits, misses) of each cache, by its name."""
        caches: dict[str, Cache[Any, Any]] = {
            "graph_features": self._features, "graph_names": self._heads, "network_parts": self._assembler.parts
        }  # fmt: skip
        return {name: partial(_use, cache) for name, cache in caches.items()}

    @property
    def parts_lacked(self) -> int:
        """How many parts of networks had not been read when they were asked for."""
        return self._assembler.parts.misses

    def query(self, item: Item, target: Target, features: Sequence[Feature] = ()) -> NetworkQuery:
        """The query that an item stands for; what is stored or named by a text has not been read yet.

        Args:
            item: a network.
            target: where it would run.
            features: what will be asked of its graph, so that a model is sent to be read once.

        Raises:
            InputError: the item names nothing that is known, or a model that cannot be read.
            NotFoundError: nobody uploaded the graph.
        """
        if item.onnx is not None:
            model = ForeignModel(content=item.onnx, shapes=item.shapes, dims=item.dims)
            network = self._read(_model_key(model), lambda: model, features)
            return NetworkQuery(target=target, graph_hash=network.hash, model=model, network=network)
        if item.graph is not None:
            return NetworkQuery(target=target, graph_hash=self._whole(item.graph))
        if item.space is None or item.text is None:
            raise InputError("An item needs `space` and `text`, or `graph`, or `onnx`.")
        return NetworkQuery(target=target, architecture=get_space(item.space).parse(item.text))

    def readable(self, query: Query, predictor: Predictor, also: Iterable[str] = ()) -> Query:
        """The query as the predictor reads it: with what it reads of the graph, unless it reads the text.

        Args:
            query: any.
            predictor: that will be asked.
            also: names of further features that somebody reads.

        Raises:
            InputError: the network of the text cannot be built.
            NotFoundError: nobody uploaded the graph.
        """
        if not wants_graph(predictor, query):
            return query
        return self.complete(query, features_asked(predictor, query.target, also))

    def assembled(self, queries: Sequence[Query], feature: Feature) -> list[NetworkQuery | None]:
        """The queries of texts whose networks were put together; None where a graph has to be built, or was.

        The feature is that of the graph. The graph's hash is not known: whoever looks measurements up by it has to
        build graphs of the same operations and nodes.

        Args:
            queries: any.
            feature: is read of their graphs.

        Raises:
            WorkCancelledError: nobody waits for them any more.
        """
        ready: list[NetworkQuery | None] = [None] * len(queries)
        texts = {
            place: query
            for place, query in enumerate(queries)
            if isinstance(query, NetworkQuery)
            and query.architecture is not None
            and query.graph_hash is None
            and not query.is_complete
        }
        architectures = [query.architecture for query in texts.values() if query.architecture is not None]
        for (place, query), network in zip(
            texts.items(), self._assembler.networks(architectures, feature), strict=True
        ):
            ready[place] = None if network is None else query.reading(network)
        return ready

    def summed_work(self, query: NetworkQuery) -> dict[str, int] | None:
        """Work and sizes of a text's network as sums over its parts; None where its graph has to be built for them."""
        if query.architecture is None or query.graph_hash is not None or query.is_complete:
            return None
        return self._work.of(query.architecture)

    def readable_rows(self, data: LatencyDataset, predictor: Predictor) -> LatencyDataset:
        """The rows as the predictor reads them, their kernels' timings included; see `readable`.

        Call it outside of sessions: it may take seconds.
        """
        if data.kernels is None or "kernels" not in predictor.fitted_capabilities().features:
            return replace(data, queries=[self.readable(query, predictor) for query in data.queries])
        rows = [
            self._timed_row(query, timings, predictor)
            for query, timings in zip(data.queries, data.kernels, strict=True)
        ]
        return replace(data, queries=[query for query, _ in rows], kernel_ms=[times for _, times in rows])

    def training_rows(
        self, data: LatencyDataset, capabilities: Capabilities, *, progress: Progress = no_progress
    ) -> tuple[LatencyDataset, list[str]]:
        """The rows as a predictor of these capabilities learns from them, and why others cannot be read.

        Architectures of one space that it reads as text stay text; of everything else graphs are read.

        Args:
            data: rows whose graphs were not read.
            capabilities: those of the predictor's class.
            progress: called with the share of the rows that is read.
        """
        spaces = {query.architecture.space if query.architecture else "" for query in data.queries}
        if "graph" not in capabilities.inputs or (len(spaces) == 1 and spaces <= set(capabilities.spaces)):
            return data, []
        timings = data.kernels if "kernels" in capabilities.features else None
        read: dict[int, tuple[Query, FloatArray | None]] = {}
        reasons: list[str] = []
        for place, query in enumerate(data.queries):
            progress(place / len(data), f"graph {place + 1} of {len(data)}")
            try:
                whole = self.complete(query, features_for(capabilities.features, query.target))
                read[place] = whole, self.timings(whole, taken) if timings and (taken := timings[place]) else None
            except LatcastError as error:
                reasons.append(str(error))
        part = data.subset(list(read))
        times = part.kernel_ms if timings is None else [times for _, times in read.values()]
        return replace(part, queries=[query for query, _ in read.values()], kernel_ms=times), reasons

    def complete(self, query: Query, features: Sequence[Feature]) -> Query:
        """The query with these features of its graph.

        Raises:
            InputError: the network of the text cannot be built.
            NotFoundError: nobody uploaded the graph.
        """
        if not isinstance(query, NetworkQuery) or (query.is_complete and query.features >= set(features)):
            return query
        key, source = self._source_of(query)
        return query.reading(self._read(key, source, features))

    def timings(self, query: Query, timings: Sequence[KernelTiming]) -> FloatArray:
        """Times of the query's kernels in ms, float64 (kernels,); see `attribute_timings`.

        Raises:
            InputError: its kernels cannot be foreseen.
        """
        wanted = timings_feature(timings, ExecutionTraits.of(query.target))
        network = self.complete(query, [wanted]).network
        if isinstance(network, Graph):
            return attribute_timings(network, timings, ExecutionTraits.of(query.target))
        return np.asarray(network.feature(wanted), dtype=np.float64)

    def prepared(self, architecture: Architecture) -> PreparedGraph:
        """What is stored of an architecture's network.

        Raises:
            InputError: the network cannot be built.
        """
        return store.prepare_architecture(self._reader, architecture)

    def _timed_row(
        self, query: Query, timings: Sequence[KernelTiming] | None, predictor: Predictor
    ) -> tuple[Query, FloatArray | None]:
        readable = self.readable(query, predictor)
        return readable, self.timings(readable, timings) if timings else None

    def _source_of(self, query: NetworkQuery) -> tuple[bytes, Callable[[], Source]]:
        """A key of the query's network, and what it is read from."""
        if (model := query.model) is not None:
            return _model_key(model), lambda: model
        if query.graph_hash is not None:
            graph_hash = query.graph_hash
            return _hash_key(graph_hash), lambda: self._stored(graph_hash)
        assert query.architecture is not None  # noqa: S101 - one of the two is there
        architecture = query.architecture
        return model_key(f"{architecture.space}\n{architecture.text}".encode()), lambda: ModelText(
            architecture=architecture
        )

    def _read(self, key: bytes, source: Callable[[], Source], features: Sequence[Feature]) -> GraphFeatures:
        """The features, as far as they are not kept from a worker."""
        head = self._heads.get(key)
        kept = {} if head is None else self._kept(head.hash, features)
        missing = [feature for feature in features if feature not in kept]
        if head is None or missing:
            read = self._reader.read(source(), missing)
            head = self._heads.put(key, _Head(read.hash, read.flops, read.size, read.remarks))
            for feature in missing:
                self._keep(head.hash, feature, read.features[feature])
            kept |= read.features
        return GraphFeatures(**head._asdict(), features=kept)

    def _kept(self, graph_hash: GraphHash, features: Sequence[Feature]) -> dict[Feature, Any]:
        values = {feature: self._features.get((graph_hash, feature)) for feature in features}
        return {feature: value for feature, value in values.items() if value is not None}

    def _keep(self, graph_hash: GraphHash, feature: Feature, value: Any) -> None:
        if feature[0] != TIMINGS:  # which are asked for once
            self._features.put((graph_hash, feature), value)

    def _whole(self, name: str) -> GraphHash:
        """The hash that a hash, or the beginning of one, means."""
        if self._heads.get(_hash_key(name)) is not None:
            return name
        with self._database.read() as session:
            return find_hash(session, name)

    def _stored(self, graph_hash: GraphHash) -> ForeignModel:
        with self._database.read() as session:
            return ForeignModel(content=store.find(session, graph_hash).model, compressed=True)


def _use(cache: Cache[Any, Any]) -> tuple[int, int]:
    return cache.hits, cache.misses


def _model_key(model: ForeignModel) -> bytes:
    return model_key(model.content, model.shapes, model.dims)


def _hash_key(graph_hash: GraphHash) -> bytes:
    return model_key(f"graph {graph_hash}".encode())


def _weight(value: Any) -> int:
    return weigh(value) + ENTRY_BYTES
