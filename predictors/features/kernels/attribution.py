"""Executed kernels' times → the predicted kernels that they belong to."""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Graph, KernelTiming
from predictors.features.kernels.cost.work import Kernel
from predictors.features.kernels.families import operator_family
from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.table import predict_kernels
from predictors.features.kernels.traits import DEFAULT_TRAITS, ExecutionTraits

__all__ = ["attribute_timings", "attribute_to"]

_CONVERSIONS = {"Transpose", "QuantizeLinear", "DequantizeLinear"}
"""What a runtime adds around a node may carry the node's name."""
_CONTAINERS = {"If", "Loop", "Scan"}


def attribute_timings(
    graph: Graph, timings: Sequence[KernelTiming], traits: ExecutionTraits = DEFAULT_TRAITS
) -> NDArray[np.float64]:
    """Time of each predicted kernel in ms, float64 (n,), in the order of `predict_kernels`; NaN where none was seen.

    A timing belongs to the kernel that covers its node, of several such (a node that was quantised) to the one of its
    operator, else to the one with most work; several timings are summed. Those without a node, as of
    layouts that the runtime changed, are matched by operator family and output size, in order of execution; what
    matches nothing is a piece of an operator that the runtime took apart, and counts for the kernel missing there, or
    else with the next timing that has one, or the last. A container (If, Loop, Scan) is not counted: its body's
    kernels are in its time already.
    """
    return attribute_to(predict_kernels(graph, traits), timings)


def attribute_to(kernels: Sequence[Kernel], timings: Sequence[KernelTiming]) -> NDArray[np.float64]:
    """The same for kernels that were foreseen already."""
    matched = _match(kernels, _Owners(kernels), [each for each in timings if each.operator not in _CONTAINERS])
    seen = {index for _, index in matched}
    missing = [index for index, kernel in enumerate(kernels) if index not in seen and kernel.kind != "call"]
    result = np.full(len(kernels), np.nan)
    waiting, previous = 0.0, -1
    for timing, index in matched:
        if index < 0:
            waiting += 0.0 if timing.operator.startswith("Reorder") else timing.time_ms
            continue
        whole = _first_after(missing, previous, index) if waiting else -1
        if whole >= 0:
            result[whole] = np.nansum([result[whole], waiting])
        result[index] = np.nansum([result[index], timing.time_ms, waiting if whole < 0 else 0.0])
        waiting, previous = 0.0, index
    if waiting and previous >= 0:
        last = _first_after(missing, previous, len(kernels))
        last = previous if last < 0 else last
        result[last] = np.nansum([result[last], waiting])
    return result


def _first_after(ascending: Sequence[int], low: int, high: int) -> int:
    """The first number between two others, both left out; -1 where there is none."""
    place = bisect_right(ascending, low)
    return ascending[place] if place < len(ascending) and ascending[place] < high else -1


class _Owners:
    """The kernels that cover each node, those with most work first."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._first: dict[int, int] = {}
        self._of_family: dict[tuple[int, str], deque[int]] = defaultdict(deque)
        for index, kernel in sorted(enumerate(kernels), key=lambda item: -item[1].macs):
            family = _kernel_family(kernel)
            for node in kernel.nodes:
                self._first.setdefault(node, index)
                self._of_family[node, family].append(index)

    def first(self, timing: KernelTiming) -> int:
        """The kernel that covers the timing's node; -1 where none does, or the timing is a change of layout's.

        Conversions of layouts carry the name of what they convert.
        """
        if timing.node is None or timing.operator.startswith("Reorder"):
            return -1
        return self._first.get(timing.node, -1)

    def unused(self, timing: KernelTiming, used: set[int]) -> int:
        """The first kernel of the timing's node and family that has no timing yet; -1 where there is none."""
        waiting = self._of_family.get((-1 if timing.node is None else timing.node, operator_family(timing.operator)))
        while waiting and waiting[0] in used:
            waiting.popleft()  # a kernel that is used stays used, so that each is passed over once
        return waiting[0] if waiting else -1


def _match(
    kernels: Sequence[Kernel], owners: _Owners, timings: Sequence[KernelTiming]
) -> list[tuple[KernelTiming, int]]:
    """Each timing with the index of its kernel, or -1."""
    named = [owners.first(timing) for timing in timings]
    taken = set(named)
    free: dict[tuple[str, int], deque[int]] = defaultdict(deque)
    for index, kernel in enumerate(kernels):
        if index not in taken or kernel.kind in {"gemm", "gemv"}:
            free[_kernel_family(kernel), _predicted_size(kernel)].append(index)
    matched, used = [], set[int]()
    for timing, first in zip(timings, named, strict=True):
        same = owners.unused(timing, used) if first >= 0 else -1
        open_to_all = first < 0 or operator_family(timing.operator) in _CONVERSIONS
        candidates = _candidates(free, timing) if open_to_all else None
        index = same if same >= 0 else candidates.popleft() if candidates else first
        used.add(index)
        matched.append((timing, index))
    return matched


def _candidates(free: dict[tuple[str, int], deque[int]], timing: KernelTiming) -> deque[int] | None:
    """Kernels of the timing's family and size that nothing has named; OpenVINO does not say which way it reorders."""
    size = _executed_size(timing)
    families = (
        ("ReorderInput", "ReorderOutput") if timing.operator == "Reorder" else (operator_family(timing.operator),)
    )
    return next((found for family in families if (found := free.get((family, size)))), None)


def _kernel_family(kernel: Kernel) -> str:
    blocked_affine = kernel.kind == "conv_depthwise"
    return "Conv" if blocked_affine else operator_family(kernel.operator)


def _executed_size(timing: KernelTiming) -> int:
    if not timing.output_shapes:
        return 0
    shape = timing.output_shapes[0]
    if timing.operator.startswith("Reorder") or operator_family(timing.operator) == "Conv":
        return _padded(shape)
    return int(np.prod(shape, dtype=np.int64))


def _padded(shape: tuple[int, ...]) -> int:
    """Elements with the channels padded to whole blocks."""
    if len(shape) < 2:
        return int(np.prod(shape, dtype=np.int64))
    channels = -(-shape[1] // BLOCK) * BLOCK
    return int(shape[0] * channels * np.prod(shape[2:], dtype=np.int64))


def _predicted_size(kernel: Kernel) -> int:
    channels = int(kernel.shape["channels_out"])
    if channels and (kernel.kind == "reorder" or kernel.kind.startswith("conv")):
        return int(kernel.elements) // channels * (-(-channels // BLOCK) * BLOCK)
    return int(kernel.elements)
