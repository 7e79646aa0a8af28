"""Models in the precision of a target, quantised where that is one of eight-bit integers."""

from collections.abc import Sequence

from profilers.quantisation.marks import INT8_PRECISIONS, MARK, Feeds

__all__ = ["prepared"]


def prepared(model: bytes, precision: str, feeds: Sequence[Feeds] = ()) -> bytes:
    """The model in that precision: quantised, unless it is that already or the precision is not one of int8.

    Args:
        model: a whole ONNX model with static shapes and with weights.
        precision: one as in `ProfileSettings`.
        feeds: arrays to calibrate by; see `profilers.quantisation.tools.quantise`.

    Raises:
        InvalidModelError: it cannot be quantised, or nothing in it can.
        BackendUnavailableError: ONNX Runtime, whose tools do it, is missing.
    """
    if precision not in INT8_PRECISIONS or MARK.encode() in model:
        return model
    from profilers.quantisation.tools import quantise  # imports onnx, which processes that only run a model do without

    return quantise(model, precision, feeds)
