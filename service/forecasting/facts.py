"""What callers want to know of networks beside latency: work, sizes, and the memory that a measurement saw."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema import Graph, GraphHash, LatcastError, Target, TargetId
from predictors.foreign.features import SUMMARY
from profilers.host.cancellation import check_wanted
from service.db import records
from service.db.session import Database
from service.db.statements import chunks
from service.db.tables import Measurement
from service.fleet.targets import find_target
from service.graphs.resolver import Item, Resolver

__all__ = ["FACTS", "Facts", "NetworkFacts"]

FACTS: Mapping[str, str] = {
    "macs": "macs",
    "flops": "flops",
    "params": "parameter_bytes",
    "activations": "activation_bytes",
    "peak_memory": "peak_memory_bytes",
}
"""What can be asked for, and what the answer calls it."""
PEAK = "peak_memory_bytes"
Facts = dict[str, int | None]
"""Facts of one network by their names in answers; None where nobody knows."""


class NetworkFacts:
    """Looks facts up. Thread-safe.

    Args:
        database: where measurements are.
        resolver: reads graphs, and keeps what it read.
    """

    def __init__(self, database: Database, resolver: Resolver) -> None:
        self._database, self._resolver = database, resolver

    def of(self, target_id: TargetId, items: Sequence[Item | LatcastError], include: Iterable[str]) -> list[Facts]:
        """Facts of the items, in their order; all None where an item is wrong.

        A new text has its graph built, which takes about 15 ms, unless its space gives networks as chains and nothing
        is asked that only measurements tell: then parts are summed up.

        Args:
            target_id: a registered target, whose measurements tell peaks of memory.
            items: networks, or what was wrong with them.
            include: names out of `FACTS`.

        Raises:
            NotFoundError: nobody registered the target.
        """
        names = [FACTS[name] for name in include]
        with self._database.read() as session:
            target = records.target_record(find_target(session, target_id))
        summaries: list[tuple[GraphHash | None, Mapping[str, Any]] | None] = []
        for item in items:
            check_wanted()
            summaries.append(None if isinstance(item, LatcastError) else self._summary(item, target, PEAK in names))
        peaks: Mapping[GraphHash, int] = {}
        if PEAK in names:
            with self._database.read() as session:
                peaks = _peaks(session, target.id, {each[0] for each in summaries if each and each[0]})
        return [_facts(each, names, peaks) for each in summaries]

    def _summary(self, item: Item, target: Target, hashed: bool) -> tuple[GraphHash | None, Mapping[str, Any]] | None:
        """(hash where it has to be known, summary) of a network's graph; None where there is no graph.

        Its forecast says why.
        """
        try:
            query = self._resolver.query(item, target, [SUMMARY])
            if not hashed and (summed := self._resolver.summed_work(query)):
                return None, summed
            network = self._resolver.complete(query, [SUMMARY]).network
            return network.hash, network.summary if isinstance(network, Graph) else network.feature(SUMMARY)
        except LatcastError:
            return None


def _peaks(session: Session, target_id: TargetId, hashes: set[GraphHash]) -> dict[GraphHash, int]:
    """The most memory that the measuring process had, of those of the graphs that were measured on the target."""
    peaks: dict[GraphHash, int] = {}
    for part in chunks(sorted(hashes)):
        query = select(Measurement.graph_hash, Measurement.runs).where(
            Measurement.target_id == target_id, Measurement.graph_hash.in_(part)
        )
        for graph_hash, runs in session.execute(query):
            peak = max((run.get("peak_memory_bytes", 0) for run in runs or ()), default=0)
            peaks[graph_hash] = max(peak, peaks.get(graph_hash, 0))
    return peaks


def _facts(
    summary: tuple[GraphHash | None, Mapping[str, Any]] | None, names: Sequence[str], peaks: Mapping[GraphHash, int]
) -> Facts:
    if summary is None:
        return dict.fromkeys(names)
    graph_hash, known = summary
    peak = peaks.get(graph_hash) if graph_hash else None
    return {name: (peak or None) if name == PEAK else known.get(name) for name in names}
