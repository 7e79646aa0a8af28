"""Networks in the database: uploaded models and architectures of search spaces, by graph hash.

Two steps, so that nothing slow happens inside a transaction: `prepare` reads a model within limits and takes its
weights out, in another process; `save` writes what comes of it. No runtime session is ever created here.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from latcast.schema import Architecture, GraphHash
from predictors.foreign.features import MODEL, SUMMARY
from predictors.foreign.reader import ReadsFeatures
from predictors.networks import GraphFeatures
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.isolated.pool import ForeignModel, ModelText
from service.db import tables
from service.db.statements import chunks, insert_missing
from service.graphs.names import find_hash

__all__ = [
    "PreparedGraph",
    "architectures_of",
    "facts_of",
    "find",
    "model_bytes",
    "precisions_of",
    "prepare",
    "prepare_architecture",
    "remarks",
    "save",
]


UNOPENED = ("load", "open")
"""Stages at which a measurement fails because of the stored model rather than of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedGraph:
    """What is going to be stored of a model.

    Args:
        hash: of the graph.
        summary: what people are told of it.
        model: ONNX with its shapes bound and without its weights, compressed with zlib.
        architecture: the text that the model was built from, if it was.
    """

    hash: GraphHash
    summary: Mapping[str, Any]
    model: bytes
    architecture: Architecture | None = None

    @classmethod
    def of(cls, read: GraphFeatures, architecture: Architecture | None = None) -> Self:
        """What is stored of a model that was read.

        Raises:
            InputError: its shapes could not be bound, or its weights not taken out.
        """
        return cls(hash=read.hash, summary=read.feature(SUMMARY), model=read.feature(MODEL), architecture=architecture)


def prepare(
    reader: ReadsFeatures,
    model: bytes | ModelFile,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
) -> PreparedGraph:
    """Read a model within limits, bind its shapes and take its weights out.

    Raises:
        InvalidModelError: the model cannot be read, exceeds a limit or has unbound dimensions.
    """
    return PreparedGraph.of(reader.read(ForeignModel(content=model, shapes=shapes, dims=dims), [SUMMARY, MODEL]))


def prepare_architecture(reader: ReadsFeatures, architecture: Architecture) -> PreparedGraph:
    """Build an architecture's model and prepare it; the text is brought into its normal form.

    Raises:
        UnknownNameError: nobody registered the search space.
        InvalidArchitectureError: not a text of the space.
    """
    from profilers.search_spaces import get_space

    normal = get_space(architecture.space).parse(architecture.text)
    return PreparedGraph.of(reader.read(ModelText(architecture=normal), [SUMMARY, MODEL]), normal)


def save(session: Session, prepared: PreparedGraph) -> GraphHash:
    """Write a graph, and its architecture where it has one; its hash.

    What is there already stays, unless no runtime opened it: then the new model takes its place. A hidden graph comes
    back, without its measurements.
    """
    graph = {"hash": prepared.hash, "model": prepared.model, "summary": prepared.summary}
    session.execute(insert_missing(session, tables.Graph).values(graph))
    again = update(tables.Graph).where(tables.Graph.hash == prepared.hash, tables.Graph.hidden_unix_s.is_not(None))
    session.execute(again.values(hidden_unix_s=None), execution_options={"synchronize_session": False})
    _replace_unopened(session, prepared)
    session.execute(insert_missing(session, tables.GraphFacts).values(facts_of(prepared.hash, prepared.summary)))
    if (architecture := prepared.architecture) is not None:
        named = {"space": architecture.space, "text": architecture.text}
        values = {**named, "graph_hash": prepared.hash}
        session.execute(insert_missing(session, tables.Architecture).values(values))
        _link(session, named, prepared.hash)
    return prepared.hash


def _replace_unopened(session: Session, prepared: PreparedGraph) -> None:
    """Put the model in the place of another of its hash that failed when it was opened, and was never measured."""
    rows = tables.Measurement.graph_hash == prepared.hash
    failed = exists().where(rows, tables.Measurement.failure_stage.in_(UNOPENED))
    measured = exists().where(rows, tables.Measurement.median_ms.is_not(None))
    other = (tables.Graph.hash == prepared.hash, tables.Graph.model != prepared.model, failed, ~measured)
    values = {"model": prepared.model, "summary": prepared.summary}
    session.execute(update(tables.Graph).where(*other).values(values), execution_options={"synchronize_session": False})


def facts_of(graph_hash: GraphHash, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the graph's row in `tables.GraphFacts`."""
    numbers = {name: float(summary.get(name, 0)) for name in ("flops", "parameter_bytes", "activation_bytes")}
    operators = " ".join(sorted(summary.get("operators", {})))
    return {"hash": graph_hash, **numbers, "nodes": summary.get("nodes", 0), "operators": f" {operators} "}


def _link(session: Session, named: Mapping[str, str], graph_hash: GraphHash) -> None:
    """An architecture that was only known from a public table has its graph from now on."""
    unlinked = update(tables.Architecture).filter_by(**named).where(tables.Architecture.graph_hash.is_(None))
    session.execute(unlinked.values(graph_hash=graph_hash), execution_options={"synchronize_session": False})


def find(session: Session, name: str) -> tables.Graph:
    """The stored graph of a hash, or of the beginning of one, see `find_hash`.

    Raises:
        NotFoundError: nobody uploaded it.
        InputError: several hashes begin so.
    """
    row = session.get(tables.Graph, name)
    return session.get_one(tables.Graph, find_hash(session, name)) if row is None else row


def model_bytes(row: tables.Graph) -> bytes:
    """The stored ONNX model, without weights."""
    return zlib.decompress(row.model)


def remarks(session: Session, graph_hashes: Collection[GraphHash]) -> dict[GraphHash, tuple[str, ...]]:
    """What people should be told of stored graphs; those of which nothing is to be said are left out."""
    column = tables.Graph.summary["remarks"]
    found: dict[GraphHash, tuple[str, ...]] = {}
    for part in chunks(graph_hashes):
        rows = session.execute(select(tables.Graph.hash, column).where(tables.Graph.hash.in_(part)))
        found |= {name: tuple(sentences) for name, sentences in rows if sentences}
    return found


def precisions_of(session: Session, graph_hashes: Collection[GraphHash]) -> dict[GraphHash, str]:
    """What the file of each graph itself computes in, such as `fp32` or `int8`, where that was noted."""
    precision = tables.Graph.summary["precision"].as_string()
    found: dict[GraphHash, str] = {}
    for part in chunks(graph_hashes):
        query = select(tables.Graph.hash, precision).where(tables.Graph.hash.in_(part))
        found.update({graph_hash: text for graph_hash, text in session.execute(query) if text})
    return found


def architectures_of(session: Session, graph_hashes: Collection[GraphHash]) -> dict[GraphHash, Architecture]:
    """The architecture of each graph that has one; the first where several texts yield the same graph."""
    found: dict[GraphHash, Architecture] = {}
    for part in chunks(graph_hashes):
        query = select(tables.Architecture).where(tables.Architecture.graph_hash.in_(part))
        for row in session.scalars(query.order_by(tables.Architecture.id)):
            found.setdefault(row.graph_hash or "", Architecture(space=row.space, text=row.text))
    return found
