"""Data sets: their identity, merging them, and how to split them without leaking."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError, Target, TargetId
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
R = TypeVar("R")


def query_key(query: Query) -> str:
    """The key of a query's network: its graph's hash, or `space:text` where the query has an architecture alone."""
    if query.has_graph or query.architecture is None:
        return query.network.hash
    return f"{query.architecture.space}:{query.architecture.text}"


def row_keys(data: LatencyDataset) -> list[str]:
    """The key of each row's network, see `query_key`.

    Rows of one key on several targets belong on the same side of a split.
    """
    return [query_key(query) for query in data.queries]


def rows_by_target(queries: Sequence[Query]) -> dict[TargetId, list[int]]:
    """The indices of the queries of each target, by target id in order of first appearance."""
    rows: dict[TargetId, list[int]] = {}
    for index, name in enumerate(target_ids([query.target for query in queries])):
        rows.setdefault(name, []).append(index)
    return rows


def target_ids(targets: Sequence[Target]) -> list[TargetId]:
    """The id of each target; it is computed once for an object that occurs several times."""
    unique = {id(target): target for target in targets}
    names = {key: target.id for key, target in unique.items()}
    return [names[id(target)] for target in targets]


def dataset_digest(data: LatencyDataset) -> str:
    """SHA-256 of the rows, 64 hexadecimal digits; their order does not matter."""
    noise = data.noise_log if data.noise_log is not None else np.zeros(len(data))
    rows = zip(row_keys(data), data.queries, data.latency_ms, noise, strict=True)
    lines = sorted(f"{query.target.id} {key} {float(ms).hex()} {float(error).hex()}" for key, query, ms, error in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def merge(*parts: LatencyDataset) -> LatencyDataset:
    """The rows of all parts, in order. Rows of a part without `noise_log` get the median noise of the other parts.

    Raises:
        InputError: no parts are passed.
    """
    if not parts:
        raise InputError("There is no data set to merge.")
    return LatencyDataset(
        queries=[query for part in parts for query in part.queries],
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
        noise_log=_merged_noise(parts),
        kernels=_merged_rows([part.kernels for part in parts], [len(part) for part in parts]),
        kernel_ms=_merged_rows([part.kernel_ms for part in parts], [len(part) for part in parts]),
        evidence={target: evidence for part in parts for target, evidence in part.evidence.items()},
    )


def group_folds(groups: Sequence[str], folds: int, *, seed: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """(training rows, held-out rows) of each fold; rows of one group are never on both sides.

    Args:
        groups: the group of each row.
        folds: number of folds wanted. There are at most as many as groups, and none for fewer than two groups.
        seed: seed of the assignment, which depends on the set of groups only, not on the rows' order.
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
    stated = [part.noise_log for part in parts if part.noise_log is not None]
    if not stated:
        return None
    typical = float(np.median(np.concatenate(stated)))
    return np.concatenate([np.full(len(p), typical) if p.noise_log is None else p.noise_log for p in parts])


def _merged_rows(parts: Sequence[Sequence[R | None] | None], sizes: Sequence[int]) -> list[R | None] | None:
    """What the rows of all parts have; None where no part has it."""
    if all(part is None for part in parts):
        return None
    return [row for part, size in zip(parts, sizes, strict=True) for row in (part or [None] * size)]
