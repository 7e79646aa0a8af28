"""Kernels of networks that are put together out of parts, without looking at each of them again.

Of the network around it a part's kernel sees two sizes (`predictors.features.kernels.parts`): the bytes of all
parameters, and of the largest result. What a smooth model says of a kernel is smooth in the logarithm of the first, and
networks of a space have few of the second. So it is worked out once for each part at some sizes in a row, and what lies
between is read off cubics: a search's network takes a few sums instead of a forward pass for each of its kernels.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import KernelTable
from predictors.features.kernels.parts import ChainTable, PartTable, parts_within
from profilers.caching import Cache

__all__ = ["ChainKernels", "Columns", "kernels_of_chains"]

_STEP = 0.125
"""Between two sizes at which columns are worked out, in logarithms of bytes."""
_NODES = 4
_CACHE_BYTES = 96 * 2**20
"""What curves may take together: those of a space for one target take some 10 MB."""
_ENTRY_BYTES = 500

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a model says of K kernels.

    Args:
        smooth: float64 (K, c), smooth in the logarithm of the network's parameters.
        fixed: float64 (K, s), not dependent on the network around a kernel.
    """

    smooth: FloatArray
    fixed: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKernels:
    """K kernels of n networks, the calls included.

    Args:
        columns: of the kernels.
        kinds: int64 (K,), index into `CLASSES`.
        rows: int64 (K,), ascending, which network.
        parameter_bytes, largest_bytes: float64 (n,), of the networks.
    """

    columns: Columns
    kinds: Places
    rows: Places
    parameter_bytes: FloatArray
    largest_bytes: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """Columns of the k kernels of a part at sizes in a row: smooth (sizes, k, c), fixed (k, s)."""

    first: int
    smooth: FloatArray
    fixed: FloatArray

    @property
    def end(self) -> int:
        return self.first + len(self.smooth)

    @property
    def size_bytes(self) -> int:
        return self.smooth.nbytes + self.fixed.nbytes + _ENTRY_BYTES


_curves: Cache[Hashable, _Curve] = Cache(_CACHE_BYTES, weigh=lambda curve: curve.size_bytes)
Part = tuple[PartTable, float]
"""A part, and the largest result of the network around it in bytes."""
Describe = Callable[[KernelTable], Columns]


def kernels_of_chains(chains: Sequence[ChainTable], describe: Describe, owner: Hashable) -> ChainKernels:
    """The kernels of networks.

    Args:
        chains: n networks, one at least.
        describe: columns of a table's kernels. It says the same of a kernel whichever others are in the table.
        owner: who describes: what it says is kept under this.
    """
    parameters = np.array([chain.parameter_bytes for chain in chains])
    largest = np.array([chain.largest_bytes for chain in chains])
    place = np.log1p(parameters) / _STEP
    first = np.maximum(np.floor(place).astype(np.int64) - 1, 0)
    curves, used = _needed(chains, first, describe, owner)

    kernels, begin = np.array([len(part.table) for part, _ in curves]), (used.order > 0).astype(np.int64)
    lengths = kernels[used.curves] - begin  # the call is counted once, in a network's first part
    ends = np.cumsum(lengths)
    inside = np.arange(ends[-1]) + np.repeat(begin - ends + lengths, lengths)
    rows, curve = np.repeat(used.chains, lengths), np.repeat(used.curves, lengths)

    each = list(curves.values())
    width = each[0].smooth.shape[2]
    flat = np.concatenate([one.smooth.reshape(-1, width) for one in each])
    starts = np.cumsum([0, *(one.smooth.shape[0] * one.smooth.shape[1] for one in each[:-1])])
    firsts = np.array([one.first for one in each])
    at = starts[curve] + (first[rows] - firsts[curve]) * kernels[curve] + inside
    smooth = np.zeros((len(rows), width))
    for node, weight in enumerate(_weights(place - first - 1)):
        smooth += weight[rows, None] * flat[at + node * kernels[curve]]

    still = (np.cumsum(kernels) - kernels)[curve] + inside
    return ChainKernels(
        columns=Columns(smooth=smooth, fixed=np.concatenate([one.fixed for one in each])[still]),
        kinds=np.concatenate([part.table.kinds for part, _ in curves])[still],
        rows=rows,
        parameter_bytes=parameters,
        largest_bytes=largest,
    )


@dataclass(frozen=True, slots=True)
class _Uses:
    """Parts of networks in order, int64 each: the network, the curve, and the place in the network."""

    chains: Places
    curves: Places
    order: Places


def _needed(
    chains: Sequence[ChainTable], first: Places, describe: Describe, owner: Hashable
) -> tuple[dict[Part, _Curve], _Uses]:
    """The curves of all parts, as far as networks need them, and which part of which network has which."""
    ranges: dict[Part, list[int]] = {}
    uses: list[tuple[int, int, int]] = []
    for index, (chain, low) in enumerate(zip(chains, first.tolist(), strict=True)):
        for order, part in enumerate(chain.parts):
            found = ranges.setdefault((part, chain.largest_bytes), [len(ranges), low, low])
            found[1], found[2] = min(found[1], low), max(found[2], low)
            uses.append((index, found[0], order))
    wanted = {part: (low, high + _NODES) for part, (_, low, high) in ranges.items()}
    kept = {part: _curves.get((owner, *part)) for part in wanted}
    lacking = {part: rest for part, span in wanted.items() if (rest := _lacking(kept[part], *span))}
    made = dict(zip(lacking, _worked_out(lacking, describe), strict=True))
    curves: dict[Part, _Curve] = {}
    for wanted_part, curve in kept.items():
        new = made.get(wanted_part)
        longer = curve if new is None else new if curve is None else _joined(curve, new)
        assert longer is not None  # noqa: S101 - what was not kept was lacking
        curves[wanted_part] = longer if new is None else _curves.put((owner, *wanted_part), longer)
    return curves, _Uses(*np.array(uses, dtype=np.int64).T)


def _lacking(curve: _Curve | None, low: int, end: int) -> range:
    """Sizes that are not worked out, in a row: nothing is left out between them and what is."""
    if curve is None:
        return range(low, end)
    if low < curve.first:
        # Where a curve lacks both ends, all of it is worked out anew, which is rare.
        return range(low, curve.first) if end <= curve.end else range(low, end)
    return range(curve.end, end)


def _joined(old: _Curve, new: _Curve) -> _Curve:
    """Both in one; where they overlap, they are the same."""
    if new.first <= old.first and new.end >= old.end:
        return new
    low, high = (new, old) if new.first < old.first else (old, new)
    return _Curve(first=low.first, smooth=np.concatenate([low.smooth, high.smooth]), fixed=old.fixed)


def _worked_out(lacking: dict[Part, range], describe: Describe) -> list[_Curve]:
    """Curves at these sizes, all at once."""
    if not lacking:
        return []
    cases = [(part, node, largest) for (part, largest), nodes in lacking.items() for node in nodes]
    parts, places, sizes = zip(*cases, strict=True)
    columns = describe(parts_within(parts, np.expm1(np.array(places) * _STEP), np.array(sizes)))
    counts = [len(part.table) * len(nodes) for (part, _), nodes in lacking.items()]
    spans = pairwise(np.cumsum([0, *counts]).tolist())
    return [
        _Curve(
            first=nodes.start,
            smooth=columns.smooth[start:end].reshape(len(nodes), len(part.table), -1),
            fixed=columns.fixed[start : start + len(part.table)],
        )
        for ((part, _), nodes), (start, end) in zip(lacking.items(), spans, strict=True)
    ]


def _weights(t: FloatArray) -> list[FloatArray]:
    """Weights of the values at -1, 0, 1 and 2 in the cubic's value at t, float64 (n,) each."""
    return [
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    ]
