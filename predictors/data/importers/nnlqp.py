"""NNLQP's data sets (Liu et al., ICPP 2022, https://github.com/ModelTC/NNLQP, Apache-2.0): ONNX files and `gt.txt`.

A line of `gt.txt` is: id, path of the ONNX file, batch size, latency in ms, family, number of the platform, and
optionally the part of the split, with spaces in between.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latcast.schema import InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.data.importers.graph_files import GraphFiles, Prepare
from predictors.data.importers.records import BACKEND, Imported, ImportReport, Skipped

__all__ = ["ORIGIN", "import_nnlqp"]

ORIGIN = "NNLQP (github.com/ModelTC/NNLQP), Apache-2.0 licence"


@dataclass(frozen=True, slots=True)
class _Line:
    model: str
    batch: int
    latency_ms: float
    platform: str


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
    files = GraphFiles(folder, prepare)
    taken = set[tuple[str, str]]()
    for number, text in enumerate(_lines(folder), start=1):
        try:
            line = _parse(text)
            graph = files.graph(line.model, line.batch)
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
    return Imported(dataset=data, report=report, models=files.models, names=files.names)


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
