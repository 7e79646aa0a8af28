"""Data sets: their identity, merging them, and how to split them without leaking."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from latcast.schema import (
    InputError,
    KernelTiming,
    Target,
    TargetId,
)
from predictors.base import LatencyDataset, Query

__all__ = [
    "dataset_digest",
    "group_folds",
    "merge",
    "query_key",
    "row_keys",
    "rows_by_target",
    "target_ids",
]

Rows = NDArray[np.intp]


def query_key(query: Query) -> str:
    """What a query is of: its graph's hash, or space and text where only an architecture was given."""
    if query.has_graph or query.architecture is None:
        return query.graph.hash
    return f"{query.architecture.space}:{query.architecture.text}"


def row_keys(data: LatencyDataset) -> list[str]:
    """What each row is of, see `query_key`.

    Rows of one key on several targets belong on the same side of a split.
    """
    return [query_key(query) for query in data.queries]


def rows_by_target(queries: Sequence[Query]) -> dict[TargetId, list[int]]:
    """Indices of queries by target."""
    rows: dict[TargetId, list[int]] = {}
    for index, name in enumerate(target_ids([query.target for query in queries])):
        rows.setdefault(name, []).append(index)
    return rows


def target_ids(targets: Sequence[Target]) -> list[TargetId]:
    """The id of each; of an object that comes again it is not computed anew."""
    known = {id(target): target for target in targets}
    names = {key: target.id for key, target in known.items()}
    return [names[id(target)] for target in targets]


def dataset_digest(data: LatencyDataset) -> str:
    """SHA-256 of the rows, 64 hexadecimal digits; their order does not matter."""
    noise = data.noise_log if data.noise_log is not None else np.zeros(len(data))
    rows = zip(row_keys(data), data.queries, data.latency_ms, noise, strict=True)
    lines = sorted(f"{query.target.id} {key} {float(ms).hex()} {float(doubt).hex()}" for key, query, ms, doubt in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def merge(*parts: LatencyDataset) -> LatencyDataset:
    """All rows, in order. Where only some parts know their noise, the others' rows get the median of it.

    Raises:
        InputError: nothing to merge.
    """
    if not parts:
        raise InputError("There is no data set to merge.")
    return LatencyDataset(
        queries=[query for part in parts for query in part.queries],
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
        noise_log=_merged_noise(parts),
        kernels=_merged_kernels(parts),
        evidence={target: known for part in parts for target, known in part.evidence.items()},
    )


def group_folds(groups: Sequence[str], folds: int, *, seed: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """(training rows, held-out rows) of each fold; rows of one group are never on both sides.

    Args:
        groups: of each row.
        folds: wanted; as many as there are groups at most, and none for fewer than two groups.
        seed: of the assignment, which depends on the set of groups only, not on the rows' order.
    """
    names = sorted(set(groups))
    folds = min(folds, len(names))
    if folds < 2:
        return
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[group]: position % folds for position, group in enumerate(order)}
    assigned = np.array([fold_of[group] for group in groups])
    for fold in range(folds):
        yield np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)


def _merged_noise(parts: Sequence[LatencyDataset]) -> NDArray[np.float64] | None:
    known = [part.noise_log for part in parts if part.noise_log is not None]
    if not known:
        return None
    usual = float(np.median(np.concatenate(known)))
    return np.concatenate([np.full(len(p), usual) if p.noise_log is None else p.noise_log for p in parts])


def _merged_kernels(parts: Sequence[LatencyDataset]) -> list[tuple[KernelTiming, ...] | None] | None:
    if all(part.kernels is None for part in parts):
        return None
    return [row for part in parts for row in (part.kernels if part.kernels is not None else [None] * len(part))]
