"""Whether the bias of a quantised convolution counts in the unit in which its products do.

In 8 bits a convolution adds its bias to sums of products, which count in scale of data × scale of weights. Where the
bias has been quantised with another scale, and where its zero is not 0, ONNX Runtime leaves the convolution in floats
(its selector of quantised convolutions; tolerances found by bisection, version 1.32). Quantisers write such a bias
where several convolutions share one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Value

__all__ = ["BiasScales"]

_ABSOLUTE, _RELATIVE = 1e-6, 0.01
"""Differences between the scales that the runtime takes for none."""
_BIAS = 2


class BiasScales:
    """The scales of what DequantizeLinear unpacks in one graph."""

    def __init__(self) -> None:
        self._unpacked: dict[str, tuple[Value | None, Value | None]] = {}

    def note(self, operation: Operation, inputs: Sequence[Value | None], outputs: Sequence[Value]) -> None:
        """Remember scale and zero point of what a node unpacks, or hands on."""
        if operation.domain or not outputs or not inputs:
            return
        first = inputs[0]
        if operation.operator == "DequantizeLinear":
            self._unpacked[outputs[0].name] = inputs[1], inputs[2] if len(inputs) > 2 else None
        elif operation.operator == "Identity" and first is not None and first.name in self._unpacked:
            self._unpacked[outputs[0].name] = self._unpacked[first.name]

    def differ(self, operation: Operation, inputs: Sequence[Value | None]) -> bool:
        """Whether the node is a convolution whose bias has another scale or zero than its products.

        False where data, weights or bias are not quantised, or scales are not known.
        """
        if operation.operator != "Conv" or operation.domain or len(inputs) <= _BIAS or not self._unpacked:
            return False
        unpacked = [self._unpacked.get(value.name) for value in inputs if value is not None]
        found = [(_numbers(pair[0]), pair[1]) for pair in unpacked if pair is not None]
        if len(found) <= _BIAS:
            return False
        (data, _), (weights, _), (bias, zero) = found
        if data is None or weights is None or bias is None:
            return False
        zeros = _numbers(zero)
        if zeros is not None and zeros.any():
            return True
        expected = data.reshape(-1)[:1] * weights.reshape(-1)
        if bias.size not in {1, expected.size} and expected.size != 1:
            return True
        return bool((np.abs(bias.reshape(-1) - expected) > _ABSOLUTE + _RELATIVE * np.abs(expected)).any())


def _numbers(value: Value | None) -> NDArray[np.float64] | None:
    return None if value is None or value.data is None else np.asarray(value.data, dtype=np.float64)
