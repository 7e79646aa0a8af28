"""The ONNX files that a table names: each is read once for all its rows."""

from collections.abc import Callable
from pathlib import Path

from latcast.onnx_files import read_model
from latcast.schema import Graph, GraphHash, InputError

__all__ = ["GraphFiles", "Prepare"]

_MODEL_BYTES = 64 * 2**20
"""Largest file that is read, without its weights."""

Prepare = Callable[[bytes, int | None], tuple[Graph, bytes]]
"""A function of a model and a batch size: (graph, model) for that batch size, the model without its weights. None: the
batch size of the file."""


class GraphFiles:
    """Graphs of the files of a folder, by path and batch size; a failure is kept as well.

    Args:
        folder: that paths are relative to, and may not lead out of.
        prepare: function that reads a model; in this process where left out.
    """

    def __init__(self, folder: Path, prepare: Prepare | None = None) -> None:
        self._folder, self._prepare = folder, prepare or _prepare_here
        self._read: dict[tuple[str, int | None], Graph | str] = {}
        self.models: dict[GraphHash, bytes] = {}
        """ONNX without weights by graph hash, of what was read so far."""
        self.names: dict[GraphHash, str] = {}
        """Path, and batch size where one was named, by graph hash; the first of several."""

    def graph(self, name: str, batch: int | None = None) -> Graph:
        """The graph of a file.

        Args:
            name: path of the file, relative to the folder.
            batch: size of the first dimension of all inputs; that of the file where left out.

        Raises:
            InputError: the file cannot be read, or its model is refused.
        """
        key = (name, batch)
        if key not in self._read:
            try:
                self._read[key], model = graph, _ = self._prepare(self._content(name), batch)
                self.models[graph.hash] = model
                self.names.setdefault(graph.hash, name if batch is None else f"{name}, batch {batch}")
            except InputError as error:
                self._read[key] = f"{name}: {error}"
        graph_or_reason = self._read[key]
        if isinstance(graph_or_reason, str):
            raise InputError(graph_or_reason)
        return graph_or_reason

    def _content(self, name: str) -> bytes:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise InputError("its path leads out of the folder.")
        return read_model(path, most_bytes=_MODEL_BYTES)


def _prepare_here(content: bytes, batch: int | None) -> tuple[Graph, bytes]:
    from profilers.onnx_graph import change_batch, load_graph, strip_weights

    model = content if batch is None else change_batch(content, batch)
    return load_graph(model), strip_weights(model)
