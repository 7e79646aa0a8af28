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

__all__ = ["ORIGIN", "import_nnlqp"]

ORIGIN = "NNLQP (github.com/ModelTC/NNLQP), Apache-2.0 licence"

_MODEL_BYTES = 64 * 2**20
"""NNLQP's files hold no weights: a larger one is none of them."""


@dataclass(frozen=True, slots=True)
class _Line:
    model: str
    batch: int
    latency_ms: float
    platform: str


def import_nnlqp(folder: Path, *, load: Callable[[bytes], Graph] | None = None) -> Imported:
    """All lines of `gt.txt` whose ONNX file can be read.

    Args:
        folder: that holds `gt.txt`, and the files that it names.
        load: reads a model; `profilers.onnx_graph.load_graph` where left out. Whoever does not trust the files gives
            `profilers.onnx_graph.isolated.loader.GraphLoader.load`, which reads them in a process with limits.

    Raises:
        InputError: there is no `gt.txt`, or no line of it could be used; the message has the first reason.
    """
    if load is None:
        from profilers.onnx_graph import load_graph

        load = load_graph
    queries, latencies, skipped = list[Query](), list[float](), list[Skipped]()
    graphs, models = dict[tuple[str, int], Graph | str](), dict[str, bytes]()
    taken = set[tuple[str, str]]()
    for number, text in enumerate(_lines(folder), start=1):
        try:
            line = _parse(text)
            graph = _graph(folder, line, graphs, models, load)
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
    load: Callable[[bytes], Graph],
) -> Graph:
    """Read once for all platforms; a reason in place of a graph is remembered too."""
    key = (line.model, line.batch)
    if key not in graphs:
        try:
            content = _with_batch(_read(folder, line.model), line.batch)
            graph = load(content)
            graphs[key], models[graph.hash] = graph, content
        except InputError as error:
            graphs[key] = f"{line.model}: {error}"
    found = graphs[key]
    if isinstance(found, str):
        raise InputError(found)
    return found


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


def _with_batch(content: bytes, batch: int) -> bytes:
    """The model with another batch size: first dimension of its inputs; what follows is inferred again."""
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise InputError("it is not an ONNX model.") from error
    constants = {item.name for item in model.graph.initializer}
    fed = [item.type.tensor_type.shape for item in model.graph.input if item.name not in constants]
    if all(shape.dim and shape.dim[0].dim_value == batch for shape in fed):
        return content
    for shape in fed:
        if shape.dim:
            shape.dim[0].dim_value = batch
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())
