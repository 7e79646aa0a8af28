"""Executed kernels' times → the predicted kernels that they belong to."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Graph, KernelTiming
from predictors.features.kernels.cost.work import Kernel
from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.table import predict_kernels
from predictors.features.kernels.traits import DEFAULT_TRAITS, ExecutionTraits

__all__ = ["attribute_timings"]

_FAMILIES = {
    "FusedConv": "Conv", "NhwcFusedConv": "Conv", "FusedMatMul": "MatMul", "Gemm": "MatMul", "FusedGemm": "MatMul",
    "TransposeMatMul": "MatMul", "Squeeze": "Reshape", "Unsqueeze": "Reshape", "Flatten": "Reshape",
    "BiasGelu": "Gelu", "Upsample": "Resize", "NhwcMaxPool": "MaxPool", "Convolution": "Conv",
    "GroupConvolution": "Conv", "FullyConnected": "MatMul", "LSTMSequence": "LSTM", "GRUSequence": "GRU",
    "RNNSequence": "RNN", "Interpolate": "Resize",
}  # fmt: skip
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
    kernels = predict_kernels(graph, traits)
    owners: dict[int, list[int]] = defaultdict(list)
    for index, kernel in sorted(enumerate(kernels), key=lambda item: -item[1].macs):
        for node in kernel.nodes:
            owners[node].append(index)
    matched = _match(kernels, owners, [timing for timing in timings if timing.operator not in _CONTAINERS])
    seen = {index for _, index in matched}
    missing = [index for index, kernel in enumerate(kernels) if index not in seen and kernel.kind != "call"]
    result = np.full(len(kernels), np.nan)
    waiting, previous = 0.0, -1
    for timing, index in matched:
        if index < 0:
            waiting += 0.0 if timing.operator.startswith("Reorder") else timing.time_ms
            continue
        whole = next((other for other in missing if previous < other < index), -1) if waiting else -1
        if whole >= 0:
            result[whole] = np.nansum([result[whole], waiting])
        result[index] = np.nansum([result[index], timing.time_ms, waiting if whole < 0 else 0.0])
        waiting, previous = 0.0, index
    if waiting and previous >= 0:
        last = next((other for other in missing if other > previous), previous)
        result[last] = np.nansum([result[last], waiting])
    return result


def _match(
    kernels: Sequence[Kernel], owners: dict[int, list[int]], timings: Sequence[KernelTiming]
) -> list[tuple[KernelTiming, int]]:
    """Each timing with the index of its kernel, or -1."""
    named = [_named_owners(timing, owners) for timing in timings]
    taken = {index for owned in named for index in owned[:1]}
    free: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, kernel in enumerate(kernels):
        if index not in taken or kernel.kind in {"gemm", "gemv"}:
            free[_kernel_family(kernel), _predicted_size(kernel)].append(index)
    matched, used = [], set()
    for timing, owned in zip(timings, named, strict=True):
        family = _family(timing.operator)
        same = [index for index in owned if index not in used and _kernel_family(kernels[index]) == family]
        candidates = _candidates(free, timing) if not owned or family in _CONVERSIONS else None
        index = (same or owned or [-1])[0] if same or not candidates else candidates.pop(0)
        used.add(index)
        matched.append((timing, index))
    return matched


def _candidates(free: dict[tuple[str, int], list[int]], timing: KernelTiming) -> list[int] | None:
    """Kernels of the timing's family and size that nothing has named; OpenVINO does not say which way it reorders."""
    size = _executed_size(timing)
    families = ("ReorderInput", "ReorderOutput") if timing.operator == "Reorder" else (_family(timing.operator),)
    return next((found for family in families if (found := free.get((family, size)))), None)


def _named_owners(timing: KernelTiming, owners: dict[int, list[int]]) -> list[int]:
    """The kernels that cover the timing's node; conversions of layouts carry the name of what they convert."""
    if timing.node is None or timing.operator.startswith("Reorder"):
        return []
    return owners.get(timing.node, [])


def _family(operator: str) -> str:
    return _FAMILIES.get(operator, operator)


def _kernel_family(kernel: Kernel) -> str:
    blocked_affine = kernel.kind == "conv_depthwise"
    return "Conv" if blocked_affine else _family(kernel.operator)


def _executed_size(timing: KernelTiming) -> int:
    if not timing.output_shapes:
        return 0
    shape = timing.output_shapes[0]
    if timing.operator.startswith("Reorder") or _family(timing.operator) == "Conv":
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
