"""The measurements that a training learns from: chosen once, frozen, and read as the predictor reads them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import Architecture, DeviceEvidence, GraphHash, InputError, TargetId
from predictors.base import Capabilities, LatencyDataset, Query
from predictors.features.descriptors import common_entries
from predictors.features.references import architecture_of, reference_key
from profilers.search_spaces import get_space
from profilers.search_spaces.families import family_of
from profilers.search_spaces.zoo.references import reference_networks
from service.db import tables
from service.db.statements import chunks
from service.graphs.queries import NetworkQuery
from service.graphs.store import architectures_of
from service.jobs.payloads import TrainPayload
from service.measurements.representative import representative_ids

__all__ = [
    "REFERENCES",
    "choose_rows",
    "families",
    "groups",
    "needs_references",
    "references_describe",
    "with_references",
]

REFERENCE_LATENCIES = "reference_latency_ms"
REFERENCES = 10
"""Reference architectures that describe a device, as in HELP."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A measurement, by what it may be chosen."""

    id: int
    target_id: TargetId
    network: str
    space: str
    created_unix_s: float


def choose_rows(session: Session, asked: TrainPayload, capabilities: Capabilities) -> list[int]:
    """Ids of the measurements that a training counts, ascending.

    One measurement of each network on a target counts (`service.measurements.representative`). A predictor that reads
    architectures alone gets those of the one space that has most rows, unless spaces are named. So does one that
    describes devices by references and reads graphs, too, where it is asked for a space that it reads as it is, or
    where nothing was measured here: published tables are what such kinds are known for.

    Args:
        session: reads.
        asked: which measurements are wanted.
        capabilities: what the predictor reads.

    Raises:
        InputError: no measurement is left; says what was asked for.
    """
    cells = "graph" not in capabilities.inputs or _names_cells(asked, capabilities)
    imported = (cells or bool(asked.targets)) if asked.tables is None else asked.tables
    rows = _wanted(session, asked, imported=imported)
    if not rows and asked.tables is None and needs_references(capabilities):
        cells, imported = True, True
        rows = _wanted(session, asked, imported=True)
    if cells:
        rows = _of_one_space(rows, capabilities.spaces, named=bool(asked.spaces) and "graph" not in capabilities.inputs)
    if asked.rows_per_target is not None:
        rows = _at_random(rows, asked.rows_per_target, asked.seed)
    if not rows:
        raise InputError(_nothing(asked, capabilities, imported=imported))
    return sorted(row.id for row in rows)


def _names_cells(asked: TrainPayload, capabilities: Capabilities) -> bool:
    named = set(asked.spaces)
    return needs_references(capabilities) and len(named) == 1 and named <= set(capabilities.spaces)


def _wanted(session: Session, asked: TrainPayload, *, imported: bool) -> list[_Row]:
    ids = representative_ids(session, target_ids=asked.targets or None, imported=imported)
    return [row for row in _described(session, ids) if _is_wanted(row, asked)]


def _described(session: Session, ids: Sequence[int]) -> list[_Row]:
    table, named = tables.Measurement, tables.Architecture
    columns = (table.id, table.target_id, table.graph_hash, table.architecture_id, table.created_unix_s, named.space)
    query = select(*columns).outerjoin(named, named.id == table.architecture_id)
    rows = [row for part in chunks(ids) for row in session.execute(query.where(table.id.in_(part)))]
    hashes: set[GraphHash] = {row.graph_hash for row in rows if row.graph_hash is not None}
    texts = architectures_of(session, hashes)
    spaces = {graph_hash: architecture.space for graph_hash, architecture in texts.items()}
    return [
        _Row(
            id=row.id,
            target_id=row.target_id,
            network=row.graph_hash or str(row.architecture_id),
            space=row.space or spaces.get(row.graph_hash, ""),
            created_unix_s=row.created_unix_s,
        )
        for row in rows
    ]


def _is_wanted(row: _Row, asked: TrainPayload) -> bool:
    recent = asked.since_unix_s is None or row.created_unix_s >= asked.since_unix_s
    return recent and (not asked.spaces or row.space in asked.spaces)


def _of_one_space(rows: Sequence[_Row], spaces: Sequence[str], *, named: bool) -> list[_Row]:
    """Rows of spaces that are read; of several, those of the space that has most, unless they were named."""
    readable = [row for row in rows if row.space and (not spaces or row.space in spaces)]
    if named or not readable:
        return readable
    ((most, _),) = Counter(row.space for row in readable).most_common(1)
    return [row for row in readable if row.space == most]


def _at_random(rows: Sequence[_Row], most: int, seed: int) -> list[_Row]:
    """At most so many rows of each target, of the same networks where all have them, as references have to be."""
    networks = sorted({row.network for row in rows})
    place = dict(zip(networks, np.random.default_rng([seed, 1]).permutation(len(networks)).tolist(), strict=True))
    chosen: dict[TargetId, int] = {}
    kept = []
    for row in sorted(rows, key=lambda row: (place[row.network], row.id)):
        chosen[row.target_id] = chosen.get(row.target_id, 0) + 1
        if chosen[row.target_id] <= most:
            kept.append(row)
    return kept


def _nothing(asked: TrainPayload, capabilities: Capabilities, *, imported: bool) -> str:
    reads = f"architectures of {', '.join(capabilities.spaces)}" if capabilities.spaces else "graphs"
    where = [f"of targets {', '.join(asked.targets)}"] if asked.targets else []
    where += [f"of spaces {', '.join(asked.spaces)}"] if asked.spaces else []
    where += ["since then"] if asked.since_unix_s is not None else []
    where += [] if imported else ["apart from public tables (which --tables lets in)"]
    return (
        f"There is no measurement to learn from {', '.join(where)}: {asked.predictor!r} reads {reads}. Measure some "
        "(`latcast adapt`, `latcast measure`), import a table (`latcast import`), or ask for less."
    )


# --- What goes with the rows ------------------------------------------------------------------------------------


def groups(queries: Sequence[Query]) -> list[str]:
    """The network of each query: its text where it has one, wherever it was measured, else its graph's hash."""
    return [_network(query) for query in queries]


def _network(query: Query) -> str:
    architecture = query.architecture
    if architecture is not None:
        return f"{architecture.space}:{architecture.text}"
    return query.graph_hash if isinstance(query, NetworkQuery) and query.graph_hash else query.network.hash


def families(queries: Sequence[Query]) -> list[str]:
    """The family of each query's network: `zoo/resnet`, a search space, or `graphs` for what has no text."""
    return ["graphs" if query.architecture is None else family_of(query.architecture) for query in queries]


def needs_references(capabilities: Capabilities) -> bool:
    """Whether a predictor may describe devices by their latencies on reference architectures."""
    return REFERENCE_LATENCIES in capabilities.evidence | capabilities.any_evidence | capabilities.useful_evidence


def references_describe(data: LatencyDataset, capabilities: Capabilities) -> bool:
    """Whether nothing but latencies of reference architectures describes the targets to such a predictor: it reads
    nothing else, or of all else that it reads some target has nothing.
    """
    if REFERENCE_LATENCIES in capabilities.evidence:
        return True
    others = capabilities.any_evidence - {REFERENCE_LATENCIES}
    return others != capabilities.any_evidence and not any(common_entries(data, kind) for kind in others)


def with_references(data: LatencyDataset, *, seed: int, necessary: bool = False) -> LatencyDataset:
    """The rows, with latencies of some architectures that all targets have measured as evidence of each.

    Those that the zoo provides for it come first (`profilers.search_spaces.zoo.references`), then others at random.

    Args:
        data: of any networks; those without a text are no references, since adaptations could not have them measured.
        seed: of the choice.
        necessary: whether rows of targets that leave fewer than `REFERENCES` to all are left out, where others have so
            many in common.
    """
    latencies: dict[TargetId, dict[str, float]] = {}
    for query, ms in zip(data.queries, data.latency_ms.tolist(), strict=True):
        measured = latencies.setdefault(query.target.id, {})
        if query.architecture is not None:
            measured[_network(query)] = ms
    if necessary:
        described = _alike(latencies)
        latencies = {target: latencies[target] for target in described}
        data = data.subset([row for row, query in enumerate(data.queries) if query.target.id in described])
    chosen = _references([set(one) for one in latencies.values()], seed)
    evidence = dict(data.evidence)
    for target_id, measured in latencies.items():
        before = evidence.get(target_id, DeviceEvidence())
        evidence[target_id] = replace(before, reference_latency_ms={key: measured[key] for key in chosen})
    return replace(data, evidence=evidence)


def _alike(latencies: Mapping[TargetId, Collection[str]]) -> set[TargetId]:
    """Targets that have `REFERENCES` architectures in common, those with most of them first; all where none have."""
    shared: set[str] | None = None
    kept = set[TargetId]()
    for target, measured in sorted(latencies.items(), key=lambda each: (-len(each[1]), each[0])):
        together = set(measured) if shared is None else shared & set(measured)
        if len(together) >= REFERENCES:
            shared = together
            kept.add(target)
    return kept or set(latencies)


def _references(measured: Sequence[set[str]], seed: int) -> list[str]:
    """Keys of architectures that are measured everywhere, none of them degenerate."""
    everywhere = sorted(set.intersection(*measured)) if measured else []
    order = np.random.default_rng([seed, 2]).permutation(len(everywhere))
    fixed = [key for one in reference_networks() if (key := reference_key(one)) in set(everywhere)]
    others = [everywhere[place] for place in order if everywhere[place] not in fixed]
    alive = (key for key in [*fixed, *others] if not _is_degenerate(architecture_of(key)))
    return [key for key, _ in zip(alive, range(REFERENCES), strict=False)]


def _is_degenerate(architecture: Architecture) -> bool:
    return get_space(architecture.space).is_degenerate(architecture)
