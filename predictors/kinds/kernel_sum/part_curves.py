"""Kernels of networks that are put together out of parts, without looking at each of them again.

Of the network around it a part's kernel sees two sizes (`predictors.features.kernels.parts`): the bytes of all
parameters, and of the largest result. What a smooth model says of a kernel is smooth in the logarithm of the first, and
networks of a space have few of the second. So it is worked out once for each part at some sizes in a row, and what lies
between is read off cubics: a search's network takes a few sums instead of a forward pass for each of its kernels.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

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
"""Most memory of all curves together: those of a space for one target take 3 to 25 MB."""
_ENTRY_BYTES = 500

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A model's description of K kernels, in blocks of columns.

    Args:
        smooth: float64 (K, c) each, smooth in the logarithm of the network's parameters.
        fixed: float64 (K, s) each, not dependent on the network around a kernel.
    """

    smooth: Sequence[FloatArray]
    fixed: Sequence[FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKernels:
    """K kernels of n networks, the calls included.

    Args:
        columns: of the kernels, in the blocks in which they were described.
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
    """Columns of the k kernels of a part at sizes in a row: smooth (sizes, k, c), fixed (k, s).

    Args:
        first: of the sizes.
        smooth, fixed: all blocks beside each other.
        ends: of the smooth blocks and of the fixed ones, but for the last of each.
    """

    first: int
    smooth: FloatArray
    fixed: FloatArray
    ends: tuple[Places, Places]

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
    place = np.log1p(parameters) / _STEP
    first = np.maximum(np.floor(place).astype(np.int64) - 1, 0)
    used = _used(chains, first)
    each = _curves_of(used, describe, owner)

    kernels = np.array([len(part.table) for part, _ in used.parts])
    begin = (used.order > 0).astype(np.int64)
    lengths = kernels[used.which] - begin  # the call is counted once, in a network's first part
    ends = np.cumsum(lengths)
    inside = np.arange(ends[-1]) + np.repeat(begin - ends + lengths, lengths)
    rows, curve = np.repeat(used.chains, lengths), np.repeat(used.which, lengths)

    width = each[0].smooth.shape[2]
    flat = np.concatenate([one.smooth.reshape(-1, width) for one in each])
    starts = np.cumsum([0, *(one.smooth.shape[0] * one.smooth.shape[1] for one in each[:-1])])
    firsts = np.array([one.first for one in each])
    steps = kernels[curve]
    at = starts[curve] + (first[rows] - firsts[curve]) * steps + inside
    smooth = np.zeros((len(rows), width))
    for weight in _weights(place - first - 1):
        smooth += weight[rows, None] * flat[at]
        at += steps

    still = (np.cumsum(kernels) - kernels)[curve] + inside
    fixed = np.concatenate([one.fixed for one in each])[still]
    smooth_ends, fixed_ends = each[0].ends
    return ChainKernels(
        columns=Columns(smooth=np.split(smooth, smooth_ends, axis=1), fixed=np.split(fixed, fixed_ends, axis=1)),
        kinds=np.concatenate([part.table.kinds for part, _ in used.parts])[still],
        rows=rows,
        parameter_bytes=parameters,
        largest_bytes=np.array([chain.largest_bytes for chain in chains]),
    )


@dataclass(frozen=True, slots=True)
class _Used:
    """Which networks have which parts, in order.

    Args:
        parts: the distinct ones.
        sizes: (first, end) of the sizes at which networks need each of them.
        chains, which, order: int64 (uses,), the network, the part, and the place in the network.
    """

    parts: Sequence[Part]
    sizes: Sequence[tuple[int, int]]
    chains: Places
    which: Places
    order: Places


def _used(chains: Sequence[ChainTable], first: Places) -> _Used:
    """Which parts networks have, given the first size that each network needs."""
    numbers: dict[float, defaultdict[PartTable, int]] = {}
    number, which = count(), list[int]()
    for chain in chains:
        of_largest = numbers.get(chain.largest_bytes)
        if of_largest is None:
            of_largest = numbers[chain.largest_bytes] = defaultdict(number.__next__)
        which += map(of_largest.__getitem__, chain.parts)
    parts = sorted((place, part, largest) for largest, known in numbers.items() for part, place in known.items())
    lengths = np.array([len(chain.parts) for chain in chains])
    network, uses = np.repeat(np.arange(len(chains)), lengths), np.array(which, dtype=np.int64)
    low, high = np.full(len(parts), first.max()), np.full(len(parts), first.min())
    np.minimum.at(low, uses, first[network])
    np.maximum.at(high, uses, first[network])
    return _Used(
        parts=[(part, largest) for _, part, largest in parts],
        sizes=list(zip(low.tolist(), (high + _NODES).tolist(), strict=True)),
        chains=network,
        which=uses,
        order=np.arange(len(uses)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
    )


def _curves_of(used: _Used, describe: Describe, owner: Hashable) -> list[_Curve]:
    """The curves of all parts, at least as far as networks need them."""
    kept = [_curves.get((owner, *part)) for part in used.parts]
    lacking = {
        part: rest for part, curve, sizes in zip(used.parts, kept, used.sizes, strict=True)
        if (rest := _lacking(curve, *sizes))
    }  # fmt: skip
    made = dict(zip(lacking, _worked_out(lacking, describe), strict=True))
    curves: list[_Curve] = []
    for part, curve in zip(used.parts, kept, strict=True):
        new = made.get(part)
        longer = curve if new is None else new if curve is None else _joined(curve, new)
        assert longer is not None  # noqa: S101 - what was not kept was lacking
        curves.append(longer if new is None else _curves.put((owner, *part), longer))
    return curves


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
    return replace(old, first=low.first, smooth=np.concatenate([low.smooth, high.smooth]))


def _worked_out(lacking: dict[Part, range], describe: Describe) -> list[_Curve]:
    """Curves at these sizes, all at once."""
    if not lacking:
        return []
    cases = [(part, node, largest) for (part, largest), nodes in lacking.items() for node in nodes]
    parts, places, sizes = zip(*cases, strict=True)
    columns = describe(parts_within(parts, np.expm1(np.array(places) * _STEP), np.array(sizes)))
    smooth, fixed = np.concatenate(columns.smooth, axis=1), np.concatenate(columns.fixed, axis=1)
    ends = (_ends(columns.smooth), _ends(columns.fixed))
    counts = [len(part.table) * len(nodes) for (part, _), nodes in lacking.items()]
    spans = pairwise(np.cumsum([0, *counts]).tolist())
    return [
        _Curve(
            first=nodes.start,
            # Copies, so that a curve that is kept does not keep all others of its call.
            smooth=smooth[start:end].reshape(len(nodes), len(part.table), -1).copy(),
            fixed=fixed[start : start + len(part.table)].copy(),
            ends=ends,
        )
        for ((part, _), nodes), (start, end) in zip(lacking.items(), spans, strict=True)
    ]


def _ends(blocks: Sequence[FloatArray]) -> Places:
    """Where blocks of columns end, but for the last."""
    return np.cumsum([block.shape[1] for block in blocks])[:-1]


def _weights(t: FloatArray) -> list[FloatArray]:
    """Weights of the values at -1, 0, 1 and 2 in the cubic's value at t, float64 (n,) each."""
    return [
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    ]
