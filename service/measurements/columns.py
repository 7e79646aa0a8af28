"""A target's measurements as columns in memory: what lists and charts filter, sort and count by.

A million rows take some 60 MB, and one pass over a column a millisecond, on whichever database they are kept.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import Architecture as ArchitectureRecord
from latcast.schema import TargetId
from service.db.records import DEFAULT_FEEDS, LONGEST_MS, SHORTEST_MS
from service.db.statements import chunks
from service.db.tables import Architecture, GraphFacts, Measurement
from service.measurements.revisions import rows_state

__all__ = ["MOST_OPERATORS", "NO_AGENT", "Networks", "TargetColumns", "loaded", "with_names"]

ROWS_AT_ONCE = 50_000
MOST_OPERATORS = 256
"""Further ones of a target cannot be filtered by."""
WORDS = MOST_OPERATORS // 64
NO_SPACE = ""
NO_AGENT = "none"
"""Where rows come from that no agent reported."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Network = str | int
"""Hash of a graph, or number of an architecture without one."""
_NAMES = ("ids", "ms", "noise", "sentinel_ms", "created", "noisy", "own_feeds", "with_kernels", "agent", "network")
_COLUMNS = (
    Measurement.id, Measurement.median_ms, Measurement.relative_iqr, Measurement.sentinel_median_ms,
    Measurement.created_unix_s, Measurement.noisy, Measurement.feeds_key, Measurement.with_kernels,
    Measurement.agent_id, Measurement.graph_hash, Measurement.architecture_id,
)  # fmt: skip


@dataclass(slots=True)
class Networks:
    """The networks that a target's rows are of, each once.

    Attributes:
        places: place of each network.
        flops: float64 (n,), of one run; NaN where nobody knows.
        nodes: float64 (n,).
        architectures: int64 (n,), number in the database; -1 for a graph of its own.
        families, spaces: names of each, for the codes in `family` and `space`.
        family: int64 (n,), place of its name.
        space: int64 (n,).
        operators: names in the order of their bits.
        bits: uint64 (n, 4), which operators occur.
    """

    places: dict[Network, int] = field(default_factory=dict)
    flops: Floats = field(default_factory=lambda: np.empty(0))
    nodes: Floats = field(default_factory=lambda: np.empty(0))
    architectures: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    families: list[str] = field(default_factory=list)
    spaces: list[str] = field(default_factory=list)
    family: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    space: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    operators: list[str] = field(default_factory=list)
    bits: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, WORDS), np.uint64))

    def with_operator(self, name: str) -> Bools:
        """Which networks have the operator, bool (n,)."""
        if name not in self.operators:
            return np.zeros(len(self.flops), bool)
        place = self.operators.index(name)
        has: Bools = (self.bits[:, place // 64] >> np.uint64(place % 64)) & np.uint64(1) == 1
        return has

    def copy(self) -> "Networks":
        """One that can grow while others read this one."""
        return replace(
            self,
            places=dict(self.places),
            families=list(self.families),
            spaces=list(self.spaces),
            operators=list(self.operators),
        )


@dataclass(frozen=True)
class TargetColumns:
    """The rows of one target in the order of their ids; times in ms, (n,) each.

    Args:
        target_id: the target.
        ids: of the rows, ascending.
        ms: median latency; NaN for a failure.
        noise: interquartile range over median; NaN where nobody knows.
        sentinel_ms: the sentinel beside the row; NaN without one.
        created: when it was stored, in Unix seconds.
        noisy: whether it is flagged.
        own_feeds: whether it was asked for with feeds of its own.
        with_kernels: whether its kernels were timed.
        agent: place among `agents` of who reported it.
        agents: ids, and `none` for rows of public tables.
        network: place among `networks`.
        networks: what the rows are of.
        version: differs wherever the rows do.
        revision: of the target, when they were read (`service.measurements.revisions`).
    """

    target_id: TargetId
    ids: Ints
    ms: Floats
    noise: Floats
    sentinel_ms: Floats
    created: Floats
    noisy: Bools
    own_feeds: Bools
    with_kernels: Bools
    agent: npt.NDArray[np.int32]
    agents: Sequence[str]
    network: npt.NDArray[np.int32]
    networks: Networks
    version: str
    revision: int | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def failed(self) -> Bools:
        """Which rows have no latency."""
        return np.isnan(self.ms)

    @cached_property
    def flops(self) -> Floats:
        """FLOPs of each row's network."""
        return self.networks.flops[self.network]

    @cached_property
    def representatives(self) -> Ints:
        """The row that represents each network, as `service.measurements.representative` has it: int64 (networks,);
        -1 for a network without one.
        """
        may = (self.ms >= SHORTEST_MS) & (self.ms <= LONGEST_MS) & ~self.own_feeds
        return self.newest(may & self.noisy, may & ~self.noisy)

    def newest(self, *masks: Bools) -> Ints:
        """The newest row of each network that a mask has, of later masks before earlier ones: int64 (networks,); -1
        for a network that none has.
        """
        found: Ints = np.full(len(self.networks.flops), -1)
        for mask in masks:
            rows = np.flatnonzero(mask)
            found[self.network[rows]] = rows  # of several rows of a network the last one stays
        return found

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What was computed of these rows and serves again: orders, bins."""
        return {}

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """The value of that name, computed once."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take, with what is usually computed of them."""
        return 124 * len(self.ids) + 400 * len(self.networks.flops) + 1000


def loaded(session: Session, target_id: TargetId, before: TargetColumns | None = None) -> TargetColumns:
    """The rows of a target.

    Args:
        session: reads.
        target_id: the target.
        before: what was loaded earlier: only rows that were added since are read, unless earlier ones were hidden,
            shown again or merged.
    """
    revision = rows_state(session, target_id)[1]
    if before is not None and before.revision != revision:
        before = None
    last = int(before.ids[-1]) if before is not None and len(before) else 0
    networks, agents, parts = Networks(), list(before.agents) if before is not None else [], [_no_rows()]
    for rows in _rows(session, target_id, after=last):
        if before is not None and len(parts) == 1:
            networks = before.networks.copy()
        parts.append(_columns(session, networks, agents, rows))
    if before is not None:
        if len(parts) == 1:
            return before
        parts[0] = [getattr(before, name) for name in _NAMES]
    arrays = dict(zip(_NAMES, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    ids = arrays["ids"]
    return TargetColumns(
        target_id=target_id,
        networks=networks,
        agents=agents,
        version=f"{ids[-1] if len(ids) else 0}-{len(ids)}-{revision}",
        revision=revision,
        **arrays,
    )


def with_names(session: Session, columns: TargetColumns) -> TargetColumns:
    """The same rows with what is known of their networks by now: a graph may be given an architecture, or an
    architecture a graph, after it was measured.
    """
    before, networks = columns.networks, Networks()
    _add_networks(session, networks, list(before.places))
    facts = [networks.architectures, networks.flops]
    if all(map(partial(np.array_equal, equal_nan=True), facts, (before.architectures, before.flops))):
        return columns
    digest = zlib.crc32(b"".join(each.tobytes() for each in facts))
    return replace(columns, networks=networks, version=f"{columns.version.partition('+')[0]}+{digest}")


def _no_rows() -> list[npt.NDArray[Any]]:
    floats = [np.empty(0)] * 4
    flags = [np.empty(0, bool)] * 3
    return [np.empty(0, np.int64), *floats, *flags, np.empty(0, np.int32), np.empty(0, np.int32)]


def _rows(session: Session, target_id: TargetId, *, after: int) -> Iterator[Sequence[Any]]:
    query = select(*_COLUMNS).where(Measurement.target_id == target_id, Measurement.id > after).order_by(Measurement.id)
    result = session.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
    yield from result.partitions()


def _columns(session: Session, networks: Networks, agents: list[str], rows: Sequence[Any]) -> list[npt.NDArray[Any]]:
    ids, ms, noise, sentinel, created, noisy, feeds, kernels, by, graphs, architectures = zip(*rows, strict=True)
    keys = [graph or architecture for graph, architecture in zip(graphs, architectures, strict=True)]
    _add_networks(session, networks, [key for key in dict.fromkeys(keys) if key not in networks.places])
    places = np.fromiter((networks.places[key] for key in keys), np.int32, len(keys))
    floats = [np.array(column, dtype=np.float64) for column in (ms, noise, sentinel, created)]
    flags = [np.array(noisy, bool), np.array([key != DEFAULT_FEEDS for key in feeds]), np.array(kernels, bool)]
    codes = {agent: _code(agents, agent or NO_AGENT) for agent in dict.fromkeys(by)}
    reported = np.fromiter((codes[agent] for agent in by), np.int32, len(by))
    return [np.array(ids, np.int64), *floats, *flags, reported, places]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of one network."""

    architecture: int = -1
    space: str = NO_SPACE
    family: str = NO_SPACE
    flops: float = np.nan
    nodes: float = np.nan
    operators: str = ""


def _add_networks(session: Session, networks: Networks, keys: Sequence[Network]) -> None:
    if not keys:
        return
    facts = {**_of_graphs(session, [key for key in keys if isinstance(key, str)]),
             **_of_architectures(session, [key for key in keys if isinstance(key, int)])}  # fmt: skip
    new = [facts.get(key) or _Facts() for key in keys]
    for place, key in enumerate(keys, start=len(networks.places)):
        networks.places[key] = place
    networks.flops = np.append(networks.flops, [one.flops for one in new])
    networks.nodes = np.append(networks.nodes, [one.nodes for one in new])
    networks.architectures = np.append(networks.architectures, [one.architecture for one in new])
    networks.family = np.append(networks.family, [_code(networks.families, one.family) for one in new])
    networks.space = np.append(networks.space, [_code(networks.spaces, one.space) for one in new])
    bits = np.array([_bits(networks, one.operators) for one in new], np.uint64)
    networks.bits = np.concatenate([networks.bits, bits])


def _code(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def _bits(networks: Networks, operators: str) -> list[int]:
    words = [0] * WORDS
    for name in operators.split():
        if name not in networks.operators and len(networks.operators) < MOST_OPERATORS:
            networks.operators.append(name)
        if name in networks.operators:
            place = networks.operators.index(name)
            words[place // 64] |= 1 << place % 64
    return words


def _of_graphs(session: Session, hashes: Sequence[str]) -> Mapping[Network, _Facts]:
    found: dict[Network, _Facts] = {}
    for part in chunks(hashes):
        named: dict[str, Any] = {}
        query = select(Architecture.id, Architecture.space, Architecture.text, Architecture.graph_hash)
        for row in session.execute(query.where(Architecture.graph_hash.in_(part)).order_by(Architecture.id)):
            named.setdefault(row.graph_hash or "", row)
        facts = {row.hash: row for row in session.scalars(select(GraphFacts).where(GraphFacts.hash.in_(part)))}
        found |= {one: _facts(named.get(one), facts.get(one)) for one in part}
    return found


def _of_architectures(session: Session, numbers: Sequence[int]) -> Mapping[Network, _Facts]:
    found: dict[Network, _Facts] = {}
    for part in chunks(numbers):
        query = select(Architecture.id, Architecture.space, Architecture.text, GraphFacts)
        query = query.outerjoin(GraphFacts, GraphFacts.hash == Architecture.graph_hash)
        for row in session.execute(query.where(Architecture.id.in_(part))):
            found[row.id] = _facts(row, row.GraphFacts)
    return found


def _facts(architecture: Any, graph: GraphFacts | None) -> _Facts:
    return _Facts(
        architecture=architecture.id if architecture else -1,
        space=architecture.space if architecture else NO_SPACE,
        family=_family(architecture.space, architecture.text) if architecture else NO_SPACE,
        flops=graph.flops if graph else np.nan,
        nodes=graph.nodes if graph else np.nan,
        operators=graph.operators if graph else "",
    )


def _family(space: str, text: str) -> str:
    from profilers.search_spaces.families import family_of

    return family_of(ArchitectureRecord(space=space, text=text))
