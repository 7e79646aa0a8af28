"""Graphs of foreign models, read in limited processes."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from latcast.schema import Architecture, Graph
from profilers.onnx_graph.isolated.cache import KnownModels, model_key
from profilers.onnx_graph.isolated.encoding import decode_graph
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.isolated.pool import MEMORY_BYTES, ForeignModel, ModelText, Part, ReaderPool, Source
from profilers.onnx_graph.limits import Limits

__all__ = ["GraphLoader", "PreparedModel"]

RECORD: Part = ("record",)
MODEL: Part = ("model",)
CACHE_BYTES = 64 * 2**20
RECORD_WEIGHT = 8
"""Bytes that a record takes in memory for one of its encoding."""


class PreparedModel(NamedTuple):
    """What is stored of a model.

    Args:
        graph: its record.
        model: ONNX, its shapes bound and its weights stripped.
    """

    graph: Graph
    model: bytes


class GraphLoader:
    """Reads models, and builds those of texts, in a `ReaderPool`.

    Graphs of the latest models are kept: the same bytes again cost a look-up. Thread-safe. Close it, or use it as a
    context manager.

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
        memory_bytes: int = 4 * MEMORY_BYTES,
        workers: int = 1,
    ) -> None:
        self._pool = ReaderPool(
            "profilers.onnx_graph.isolated.child",
            limits=limits,
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            workers=workers,
        )
        self._known: KnownModels[Graph] = KnownModels(CACHE_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def load(
        self,
        model: bytes | ModelFile,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Graph:
        """The graph of a model.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.

        Raises:
            InvalidModelError: as `load_graph`, or reading it took too much time or memory or crashed.
        """
        key = model_key(model, shapes, dims)
        kept = None if self._pool.is_closed else self._known.get(key)
        return kept or self._known.keep(key, *self._graph(ForeignModel(content=model, shapes=shapes, dims=dims)))

    def prepare(
        self,
        model: bytes | ModelFile,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
        batch: int | None = None,
    ) -> PreparedModel:
        """The graph, and the model with its shapes bound and its weights stripped.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.
            batch: first dimension of all inputs, in place of what the file says; see `change_batch`.

        Raises:
            InvalidModelError: as `load`.
        """
        source = ForeignModel(content=model, shapes=shapes, dims=dims, batch=batch)
        read = self._pool.read(source, [RECORD, MODEL])
        record, stripped = (read.arrays(place)["bytes"].tobytes() for place in range(2))
        return PreparedModel(decode_graph(record), stripped)

    def build(self, architecture: Architecture) -> Graph:
        """The graph of the network that an architecture's text stands for.

        Args:
            architecture: its text in normal form, as `SearchSpace.parse` gives it.

        Raises:
            UnknownNameError: nobody registered the search space.
            InvalidArchitectureError: not a text of the space.
            InvalidModelError: building it took too much time or memory, crashed or failed.
        """
        return self._graph(ModelText(architecture=architecture))[0]

    def close(self) -> None:
        """End all workers, once they have answered. Calling it again does nothing."""
        self._pool.close()

    def _graph(self, source: Source) -> tuple[Graph, int]:
        """(the record, bytes that it takes about)."""
        record = self._pool.read(source, [RECORD]).arrays(0)["bytes"]
        return decode_graph(record.tobytes()), RECORD_WEIGHT * record.nbytes
