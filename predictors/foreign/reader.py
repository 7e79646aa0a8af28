"""Reads what predictors need of foreign models, in processes with limits.

Whoever forecasts foreign models reads them so. Who needs a graph's whole record, because he measures it or keeps it,
reads that with a `profilers.onnx_graph.GraphLoader`: processes of the same kind, which know nothing of predictors.
"""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from latcast.schema import Graph, InputError, Target
from predictors.base import Predictor, Query
from predictors.foreign.features import features_asked, unpacked
from predictors.networks import RECORD, Feature, GraphFeatures
from profilers.onnx_graph.isolated.pool import MEMORY_BYTES, Read, ReaderPool, Source
from profilers.onnx_graph.limits import Limits

__all__ = ["ForeignQuery", "ForeignReader", "ReadsFeatures", "features_of", "read_query"]


class ReadsFeatures(Protocol):
    """Reads foreign models, and builds those of texts, elsewhere: `ForeignReader`. Thread-safe."""

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        """These features of a model's graph; one that cannot be read is an error in its place.

        Raises:
            InputError: the model cannot be read, or the text is none.
        """
        ...


class ForeignReader:
    """Reads models, and builds those of texts, in a `ReaderPool`; keeps nothing. Thread-safe.

    Close it, or use it as a context manager.

    Args:
        limits: caps on a model, as for `load_graph`.
        timeout_s: limit for one model, of wall-clock and of processor time.
        memory_bytes: address space that a worker may add to what its interpreter has.
        workers: how many models may be read at a time.
    """

    def __init__(
        self,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        timeout_s: float = 30.0,
        memory_bytes: int = MEMORY_BYTES,
        workers: int = 2,
    ) -> None:
        self._pool = ReaderPool(
            "predictors.foreign.child", limits=limits, timeout_s=timeout_s, memory_bytes=memory_bytes, workers=workers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def read(self, source: Source, features: Sequence[Feature]) -> GraphFeatures:
        """These features of a model's graph; one that cannot be read is an error in its place.

        Raises:
            InputError: the model cannot be read, or the text is none.
            WorkCancelledError: nobody waits for it any more.
        """
        return features_of(self._pool.read(source, features), features)

    def start_one(self) -> None:
        """Have a worker ready before somebody needs it."""
        self._pool.start_one()

    def close(self) -> None:
        """End all workers, once they have answered. Calling it again does nothing."""
        self._pool.close()


class ForeignQuery(Query):
    """A query about a graph of which features were read, and no record.

    Args:
        target: where it would run.
        network: what was read.
    """

    def __init__(self, *, target: Target, network: GraphFeatures) -> None:
        self.target, self.architecture, self._graph, self._network = target, None, None, network

    @property
    def network(self) -> GraphFeatures:
        """What was read of the graph."""
        return self._network

    @property
    def has_graph(self) -> bool:
        """True: there is one, if not here."""
        return True

    def on(self, target: Target) -> "ForeignQuery":
        """The same network on another target."""
        return ForeignQuery(target=target, network=self._network)

    def _build(self) -> Graph:
        graph: Graph = self._network.feature(RECORD)
        return graph


def read_query(
    reader: ReadsFeatures, source: Source, *, predictor: Predictor, target: Target, also: Iterable[str] = ()
) -> ForeignQuery:
    """A query about a model, with what the predictor reads of its graph.

    Args:
        reader: reads it.
        source: the model.
        predictor: fitted; will be asked.
        target: where the model would run.
        also: names of further features that somebody reads.

    Raises:
        InputError: the model cannot be read, or the text is none.
    """
    return ForeignQuery(target=target, network=reader.read(source, features_asked(predictor, target, also)))


def features_of(read: Read, features: Sequence[Feature]) -> GraphFeatures:
    """What a worker read, as predictors are given it."""
    values = {feature: _value(feature, part) for feature, part in zip(features, read.parts, strict=True)}
    return GraphFeatures(hash=read.hash, flops=read.flops, size=read.size, remarks=read.remarks, features=values)


def _value(feature: Feature, part: tuple[Any, Any] | InputError) -> Any:
    if isinstance(part, InputError):
        return part
    try:
        return unpacked(feature, *part)
    except InputError as error:
        return error
