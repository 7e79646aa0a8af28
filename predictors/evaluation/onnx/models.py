"""Reading the models of a manifest, with their graphs, shapes and feeds."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latcast.onnx_files import read_model
from latcast.schema import Graph, InputError, InvalidFeedsError, LatcastError
from predictors.evaluation.onnx.manifest import FailedModel, ManifestEntry
from profilers.feeds import FeedArrays, feed_specs, load_feeds, read_npz
from profilers.onnx_graph import GraphLoader, bind_shapes

__all__ = ["Model", "read_models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model with static shapes.

    Args:
        entry: entry of the manifest.
        graph: graph of the model with the entry's shapes.
        shapes: whole shape of each input that had dynamic dimensions, by input name.
        feeds: arrays of the inputs; None where they are generated.
        digest: SHA-256 of the file, of its external data, of the shapes and sizes of symbols, and of the feeds.
    """

    entry: ManifestEntry
    graph: Graph
    shapes: Mapping[str, tuple[int, ...]]
    feeds: FeedArrays | None
    digest: str

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self.entry.name

    def content(self, *, bound: bool = True) -> bytes:
        """The model's bytes, weights included; read from disk, so that not all models are in memory at once.

        Args:
            bound: whether the entry's shapes are bound, or those of the file are left.

        Raises:
            InputError: the file cannot be read any more.
        """
        content = _content(self.entry)
        dims = self.entry.dims
        return bind_shapes(content, self.shapes, dims=dims) if bound and (self.shapes or dims) else content


def read_models(entries: Sequence[ManifestEntry], loader: GraphLoader) -> Iterator[Model | FailedModel]:
    """The model of each entry, or a failure with the reason."""
    for entry in entries:
        try:
            yield _model(entry, loader)
        except InvalidFeedsError as error:
            yield FailedModel(name=entry.name, stage="feeds", message=str(error))
        except (LatcastError, MemoryError) as error:
            yield FailedModel(name=entry.name, stage="load", message=str(error) or "There is too little memory for it.")


def _model(entry: ManifestEntry, loader: GraphLoader) -> Model:
    content = _content(entry)
    packed = None if entry.feeds is None else _read(entry.feeds, "feeds file", InvalidFeedsError)
    shapes = _shapes(entry, packed)
    graph = loader.load(content, shapes=shapes or None, dims=entry.dims or None)
    if packed is None:
        feed_specs(graph)  # raises where no feeds can be made
    return Model(
        entry=entry,
        graph=graph,
        shapes=shapes,
        feeds=None if packed is None else load_feeds(packed, graph),
        digest=_digest(content, shapes, entry.dims, packed or b""),
    )


def _content(entry: ManifestEntry) -> bytes:
    return read_model(entry.onnx, weights=True)


def _read(path: Path, what: str, problem: type[InputError] = InputError) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise problem(f"The {what} {str(path)!r} cannot be read: {error.strerror}.") from error


def _shapes(entry: ManifestEntry, packed: bytes | None) -> dict[str, tuple[int, ...]]:
    """The shapes of the feeds, overridden by those of the entry."""
    of_feeds = {} if packed is None else {name: array.shape for name, array in read_npz(packed).items()}
    return {**of_feeds, **entry.shapes}


def _digest(content: bytes, shapes: Mapping[str, tuple[int, ...]], dims: Mapping[str, int], feeds: bytes) -> str:
    sizes = repr(sorted(shapes.items())) + (repr(sorted(dims.items())) if dims else "")
    parts = [hashlib.sha256(content).hexdigest(), sizes, hashlib.sha256(feeds).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
