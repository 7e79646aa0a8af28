"""Values of constant inputs from which no size follows: steps of zero, sizes below zero, scales that are no numbers.

onnx's inference leaves such a size open, as if it depended on data; no runtime can run the node. Values that are not
known say nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from latcast.schema.counting import counted
from profilers.onnx_graph.constants import Array
from profilers.onnx_graph.values import Value

__all__ = ["READS_VALUES", "odd_constant"]

Inputs = Sequence["Value | None"]
Plain = Mapping[str, Any]
Check = Callable[[Inputs, Plain], "str | None"]


def odd_constant(operator: str, inputs: Inputs, plain: Plain) -> str | None:
    """What is wrong with a constant input, as the end of a sentence; None where nothing is."""
    return _CHECKS[operator](inputs, plain)


def _array(inputs: Inputs, at: int) -> Array | None:
    value = inputs[at] if at < len(inputs) else None
    return None if value is None else value.data


def _numbers(inputs: Inputs, at: int) -> list[float] | None:
    """Values of a small constant of numbers, flat."""
    data = _array(inputs, at)
    return None if data is None or data.dtype.kind not in "iuf" else [item.item() for item in data.reshape(-1)]


def _shape(inputs: Inputs) -> tuple[int, ...] | None:
    return inputs[0].shape if inputs and inputs[0] is not None else None


def _least(at: int, least: int, name: str) -> Check:
    """Each number of this input is at least so much."""

    def check(inputs: Inputs, _: Plain) -> str | None:
        numbers = _numbers(inputs, at)
        if not numbers or all(number >= least for number in numbers):  # NaN is not
            return None
        return f"its {name} is {numbers if len(numbers) > 1 else numbers[0]}, and has to be {least} or more"

    return check


def _all(*checks: Check) -> Check:
    def check(inputs: Inputs, plain: Plain) -> str | None:
        return next((problem for one in checks if (problem := one(inputs, plain)) is not None), None)

    return check


def _range(inputs: Inputs, _: Plain) -> str | None:
    listed = [_numbers(inputs, at) for at in range(3)]
    known = [numbers[0] for numbers in listed if numbers]
    if not all(map(isfinite, known)):
        return f"it goes from, to or by what is no number: {known}"
    return "its delta is 0" if listed[2] and listed[2][0] == 0 else None


def _resize(scales_at: int, sizes_at: int) -> Check:
    """An axis that has elements keeps some."""

    def check(inputs: Inputs, _: Plain) -> str | None:
        scales, sizes = _numbers(inputs, scales_at), _numbers(inputs, sizes_at)
        if scales and not all(isfinite(scale) and scale > 0 for scale in scales):
            return f"its scales are {scales}, and have to be above zero"
        x = _shape(inputs)
        if sizes and min(sizes) < (0 if x is None or 0 in x else 1):
            return f"its sizes are {sizes}, and have to be above zero"
        return None

    return check


def _pad(inputs: Inputs, plain: Plain) -> str | None:
    x, axes = _shape(inputs), _numbers(inputs, 3)
    pads = list(plain["pads"]) if "pads" in plain else _numbers(inputs, 1)
    if x is None or pads is None or (axes is None and len(inputs) > 3 and inputs[3] is not None):
        return None
    places = range(len(x)) if axes is None else [int(axis) for axis in axes]
    if len(pads) != 2 * len(places) or not all(-len(x) <= at < len(x) for at in places):
        return f"its pads are {counted(len(pads), 'number')} for {len(places)} of {counted(len(x), 'dimension')}"
    for at, axis in enumerate(places):
        before, behind = int(pads[at]), int(pads[at + len(places)])
        if x[axis] + before + behind < 0:
            return f"it takes {counted(-before - behind, 'element')} away where there are {x[axis]}"
        if plain.get("mode") == "reflect" and x[axis] and max(before, behind) >= x[axis]:
            return f"it cannot mirror {max(before, behind)} of {counted(x[axis], 'element')}"
    return None


def _split(inputs: Inputs, plain: Plain) -> str | None:
    sizes = list(plain["split"]) if "split" in plain else _numbers(inputs, 1)
    return f"its parts are {sizes}, and none may be below zero" if sizes and min(sizes) < 0 else None


def _axis(inputs: Inputs, _: Plain) -> str | None:
    x, axis = _shape(inputs), _numbers(inputs, 1)
    if not x or not axis or -len(x) <= axis[0] < len(x):
        return None
    return f"its axis is {axis[0]}, but there are {counted(len(x), 'dimension')}"


def _dropout(inputs: Inputs, _: Plain) -> str | None:
    ratio = _numbers(inputs, 1)
    return None if not ratio or 0 <= ratio[0] < 1 else f"its ratio is {ratio[0]}, and has to be below one"


def _short_signal(inputs: Inputs, _: Plain) -> str | None:
    x, length = _shape(inputs), _numbers(inputs, 3)
    window = inputs[2].shape if len(inputs) > 2 and inputs[2] is not None else None
    frame = length[0] if length else window[0] if window else None
    if not x or len(x) < 2 or frame is None or frame <= x[1]:
        return None
    return f"its frames of {frame} are longer than the signal of {x[1]}"


_CHECKS: Mapping[str, Check] = {
    "Col2Im": _all(_least(1, 1, "image_shape"), _least(2, 1, "block_shape")),
    "CumSum": _axis,
    "DFT": _least(1, 1, "dft_length"),
    "Dropout": _dropout,
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), _least(0, 0, "size")),
    "MelWeightMatrix": _all(_least(0, 1, "num_mel_bins"), _least(1, 1, "dft_length"), _least(2, 1, "sample_rate")),
    "OneHot": _least(1, 1, "depth"),
    "Pad": _pad,
    "Range": _range,
    "Resize": _resize(2, 3),
    "STFT": _all(_least(1, 1, "frame_step"), _least(3, 1, "frame_length"), _short_signal),
    "Split": _split,
    "TopK": _least(1, 0, "k"),
    "Upsample": _resize(1, 9),
}  # fmt: skip
READS_VALUES = frozenset(_CHECKS)
"""Operators of ai.onnx with such an input."""
