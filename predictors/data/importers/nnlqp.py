"""NNLQP's data sets (Liu et al., ICPP 2022, https://github.com/ModelTC/NNLQP, Apache-2.0): ONNX files and `gt.txt`.

A line of `gt.txt` is: id, path of the ONNX file, batch size, latency in ms, family, number of the platform, and
optionally the part of the split, with spaces in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latcast.schema import Graph, InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.data.importers.records import BACKEND, Imported, ImportReport, Skipped

__all__ = ["ORIGIN", "Prepare", "import_nnlqp"]

ORIGIN = "NNLQP (github.com/ModelTC/NNLQP), Apache-2.0 licence"

_MODEL_BYTES = 64 * 2**20
"""Largest file that is read: NNLQP's files hold no weights."""


@dataclass(frozen=True, slots=True)
class _Line:
    model: str
    batch: int
    latency_ms: float
    platform: str


Prepare = Callable[[bytes, int], tuple[Graph, bytes]]
"""A function of a model and a batch size: (graph, model) for that batch size, the model without its weights."""


def import_nnlqp(folder: Path, *, prepare: Prepare | None = None) -> Imported:
    """The latencies of all lines of `gt.txt` whose ONNX file can be read.

    Args:
        folder: folder that holds `gt.txt` and the files that it names.
        prepare: function that reads a model; in this process where left out. For files that are not trusted,
            `profilers.onnx_graph.GraphLoader.prepare` reads them in a process with limits.

    Raises:
        InputError: the folder holds no `gt.txt`, or no line of it can be used; the message has the first reason.
    """
    queries, latencies, skipped = list[Query](), list[float](), list[Skipped]()
    graphs, models = dict[tuple[str, int], Graph | str](), dict[str, bytes]()
    taken = set[tuple[str, str]]()
    for number, text in enumerate(_lines(folder), start=1):
        try:
            line = _parse(text)
            graph = _graph(folder, line, graphs, models, prepare or _prepare)
            target = _target(line)
            if (target.id, graph.hash) in taken:
                raise InputError("the graph occurs twice on this platform; the first counts.")
        except InputError as error:
            skipped.append(Skipped(what=f"gt.txt line {number}", reason=str(error), rows=1))
            continue
        taken.add((target.id, graph.hash))
        queries.append(Query(target=target, graph=graph))
        latencies.append(line.latency_ms)
    if not queries:
        raise InputError(f"No line of {folder.name}/gt.txt could be used. {skipped[0] if skipped else 'It is empty.'}")
    data = LatencyDataset(queries=queries, latency_ms=np.array(latencies, dtype=np.float64))
    targets = {query.target.id: query.target for query in queries}
    report = ImportReport(source=f"NNLQP {folder.name}", rows=len(data), targets=tuple(targets.values()),
                          skipped=tuple(skipped))  # fmt: skip
    return Imported(dataset=data, report=report, models=models)


def _lines(folder: Path) -> list[str]:
    path = folder / "gt.txt"
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8.") from error


def _parse(text: str) -> _Line:
    items = text.split()
    try:
        line = _Line(items[1], int(items[2]), float(items[3]), items[5])
    except (IndexError, ValueError):
        raise InputError(f"expected 'id path batch ms family platform', found {text[:80]!r}.") from None
    if not (np.isfinite(line.latency_ms) and line.latency_ms > 0 and line.batch > 0):
        raise InputError("batch size and latency have to be positive.")
    return line


def _target(line: _Line) -> Target:
    return Target(device=f"platform-{line.platform}", backend=BACKEND, options={"space": "onnx"}, origin=ORIGIN)


def _graph(
    folder: Path,
    line: _Line,
    graphs: dict[tuple[str, int], Graph | str],
    models: dict[str, bytes],
    prepare: Prepare,
) -> Graph:
    """The graph of a line, read once for all platforms; a failure is kept in `graphs` too."""
    key = (line.model, line.batch)
    if key not in graphs:
        try:
            graph, model = prepare(_read(folder, line.model), line.batch)
            graphs[key], models[graph.hash] = graph, model
        except InputError as error:
            graphs[key] = f"{line.model}: {error}"
    graph_or_reason = graphs[key]
    if isinstance(graph_or_reason, str):
        raise InputError(graph_or_reason)
    return graph_or_reason


def _read(folder: Path, name: str) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError("its path leads out of the folder.")
    try:
        with path.open("rb") as file:
            content = file.read(_MODEL_BYTES + 1)
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}.") from error
    if len(content) > _MODEL_BYTES:
        raise InputError(f"it takes more than {_MODEL_BYTES:,} bytes.")
    return content


def _prepare(content: bytes, batch: int) -> tuple[Graph, bytes]:
    """The graph and the model of a file, read in this process."""
    from profilers.onnx_graph import change_batch, load_graph, strip_weights

    model = change_batch(content, batch)
    return load_graph(model), strip_weights(model)
