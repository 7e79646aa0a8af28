"""Windows that do not fit: larger than what they slide over, in padding alone, or with nothing left of their result."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from profilers.onnx_graph.values import Value

__all__ = ["SLIDING", "misfit"]

Inputs = Sequence["Value | None"]
Plain = Mapping[str, Any]

_WEIGHTS: Mapping[str, int] = {
    "Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "FusedConv": 1, "QLinearConv": 3,
}  # fmt: skip
"""Which input has the filters, (M, C/groups, k…) or (C, M/groups, k…)."""
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})
_WHOLE = frozenset({"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"})
_SPATIAL = frozenset({*_WHOLE, "InstanceNormalization"})
SLIDING = frozenset({*_WEIGHTS, *_POOLS, *_SPATIAL})
"""Operators whose windows are looked at; their inputs are (N, C, d…)."""


def misfit(operator: str, inputs: Inputs, plain: Plain) -> str | None:
    """What does not fit of a window, as the end of a sentence; None where it fits, or where a size is not known."""
    x = inputs[0].shape if inputs and inputs[0] is not None else None
    if x is None or operator in _SPATIAL:
        return None if x is None else _no_space(operator, x)
    window = _Window.of(operator, inputs, plain, rank=len(x) - 2)
    if window is None:
        return None
    return _nothing_written(x[2:], window, plain) if operator == "ConvTranspose" else _nothing_read(operator, x, window)


def _no_space(operator: str, x: tuple[int, ...]) -> str | None:
    if len(x) < 3:
        return f"its input {list(x)} has no dimensions but batch and channels"
    return f"nothing is left of its input {list(x)} to be pooled" if operator in _WHOLE and 0 in x[2:] else None


def _nothing_read(operator: str, x: tuple[int, ...], window: "_Window") -> str | None:
    is_pool = operator in _POOLS
    # ONNX Runtime rounds a pool's room towards zero: it runs some that are too small, and makes one element, or none.
    least = [1 - 2 * stride if is_pool else 0 for stride in window.strides]
    room = [size + pad - reach for size, pad, reach in zip(x[2:], window.padding, window.reach, strict=True)]
    if any(have < needed for have, needed in zip(room, least, strict=True)) or (is_pool and 0 in x[2:]):
        return f"its input {list(x)} is smaller than its window: nothing would be left"
    if is_pool and any(pad >= reach for pad, reach in zip(window.pads, window.reach * 2, strict=True)):
        return f"some of its windows would lie in the padding {list(window.pads)} alone"
    return None


def _nothing_written(sizes: tuple[int, ...], window: "_Window", plain: Plain) -> str | None:
    """A transposed convolution writes stride * (size - 1) + reach + extra elements, less its padding."""
    extra = _list(plain.get("output_padding"), 0, len(sizes))
    if extra is None:
        return None
    steps = map(max, window.strides, window.dilations)
    if any(more >= step for more, step in zip(extra, steps, strict=True) if more):
        return f"its output_padding {list(extra)} is no smaller than its strides and dilations"
    if "output_shape" in plain:
        return None
    parts = zip(sizes, window.strides, window.reach, extra, window.padding, strict=True)
    written = [stride * (size - 1) + reach + more - pad for size, stride, reach, more, pad in parts]
    return f"its padding {list(window.pads)} takes all that it writes" if min(written) < 1 else None


class _Window(NamedTuple):
    """A window, along each of the axes behind batch and channels.

    Args:
        strides, dilations: steps between windows, and between the elements of one.
        reach: elements from the first of a window to its last, both included.
        pads: elements before each axis, then behind each.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    reach: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def padding(self) -> tuple[int, ...]:
        """Elements before and behind each axis, together."""
        rank = len(self.reach)
        return tuple(self.pads[at] + self.pads[at + rank] for at in range(rank))

    @classmethod
    def of(cls, operator: str, inputs: Inputs, plain: Plain, *, rank: int) -> "_Window | None":
        """None where it is not known, or does not say something of each axis."""
        sizes = _sizes(operator, inputs, plain)
        strides, dilations = (_list(plain.get(name), 1, rank) for name in ("strides", "dilations"))
        pads = _pads(plain, rank)
        if sizes is None or len(sizes) != rank or strides is None or dilations is None or pads is None:
            return None
        reach = tuple((size - 1) * step + 1 for size, step in zip(sizes, dilations, strict=True))
        return cls(strides, dilations, reach, pads)


def _sizes(operator: str, inputs: Inputs, plain: Plain) -> tuple[int, ...] | None:
    if operator not in _WEIGHTS:
        return tuple(plain.get("kernel_shape", ()))
    at = _WEIGHTS[operator]
    weights = inputs[at] if len(inputs) > at else None
    return None if weights is None or weights.shape is None else weights.shape[2:]


def _list(value: Any, default: int, count: int) -> tuple[int, ...] | None:
    listed = (default,) * count if value is None else tuple(value)
    return listed if len(listed) == count else None


def _pads(plain: Plain, rank: int) -> tuple[int, ...] | None:
    """Padding before and behind each axis; None where the runtime chooses it."""
    match plain.get("auto_pad", "NOTSET"):
        case "NOTSET" | "":
            return _list(plain.get("pads"), 0, 2 * rank)
        case "VALID":
            return (0,) * (2 * rank)
    return None
