"""Values of attributes that mean nothing: words that no operator knows, counts below one, axes that are not there.

onnx's inference looks at few of them, and no runtime loads the others. What is here is forbidden by the operators'
descriptions (https://onnx.ai/onnx/operators) or has no meaning at all; what only one runtime refuses is not here.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from latcast.schema.counting import counted
from profilers.onnx_graph.source import Operation

__all__ = ["odd_attribute"]

Plain = Mapping[str, Any]
Rule = Callable[[Any], "str | None"]
"""A function of an attribute's value: None where that is right, else a phrase that says which values are."""


def odd_attribute(operation: Operation, rank: int | None) -> str | None:
    """What is wrong with an attribute of a node, as the end of a sentence; None where nothing is.

    Args:
        operation: what the node does.
        rank: number of dimensions of its first input, where it is known.
    """
    for name, value in operation.plain.items():
        rule = _RULES.get((operation.operator, name)) or _ANYWHERE.get(name)
        wanted = rule(value) if rule else None
        if wanted is not None:
            return f"its attribute {name} is {_shown(value)}, and has to be {wanted}"
    return _odd_axis(operation, rank)


def _shown(value: Any) -> str:
    if isinstance(value, str | bytes):
        return ascii(value[:40])
    return str(list(value[:8])) if isinstance(value, tuple) else str(value)


def _words(*allowed: str) -> Rule:
    """One of these; most runtimes take an empty word for none."""

    def rule(value: Any) -> str | None:
        return None if value in allowed or value == "" else " or ".join(filter(None, allowed))

    return rule


def _each(rule: Rule) -> Rule:
    """Each of a list is as the rule says."""

    def of_each(values: Any) -> str | None:
        listed = values if isinstance(values, Sequence) and not isinstance(values, str) else (values,)
        return next((f"{wanted} each" for value in listed if (wanted := rule(value)) is not None), None)

    return of_each


def _at_least(least: int) -> Rule:
    def rule(value: Any) -> str | None:
        is_fine = isinstance(value, int | float) and isfinite(value) and value >= least
        return None if is_fine else f"{least} or more"

    return rule


def _one_of(*allowed: int) -> Rule:
    return lambda value: None if value in allowed else " or ".join(map(str, allowed))


def _block(value: Any) -> str | None:
    is_fine = isinstance(value, int) and value >= 16 and value & (value - 1) == 0
    return None if is_fine else "a power of two from 16"


_ACTIVATIONS = frozenset({
    "affine", "elu", "hardsigmoid", "leakyrelu", "relu", "scaledtanh", "sigmoid", "softplus", "softsign", "tanh",
    "thresholdedrelu",
})  # fmt: skip


def _activation(value: Any) -> str | None:
    return None if str(value).casefold() in _ACTIVATIONS else "a function that recurrent layers know"


_POSITIVE = _at_least(1)
_ANYWHERE: Mapping[str, Rule] = {
    "auto_pad": _words("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"), "dilations": _each(_POSITIVE),
    "group": _POSITIVE, "hidden_size": _POSITIVE, "kernel_shape": _each(_POSITIVE), "kv_num_heads": _POSITIVE,
    "n_targets": _POSITIVE, "num_heads": _POSITIVE, "output_padding": _each(_at_least(0)),
    "pooled_shape": _each(_POSITIVE), "q_num_heads": _POSITIVE, "strides": _each(_POSITIVE),
}  # fmt: skip
"""Attributes that mean the same in every operator that has them."""
_RECURRENT: Mapping[str, Rule] = {
    "activations": _each(_activation), "clip": _at_least(0),
    "direction": _words("forward", "reverse", "bidirectional"), "layout": _one_of(0, 1),
}  # fmt: skip
_RULES: Mapping[tuple[str, str], Rule] = {
    **{(operator, name): rule for operator in ("GRU", "LSTM", "RNN") for name, rule in _RECURRENT.items()},
    **{(operator, "scale"): _at_least(0) for operator in ("RandomNormal", "RandomNormalLike")},
    ("BitShift", "direction"): _words("LEFT", "RIGHT"),
    ("ConvTranspose", "output_shape"): _each(_POSITIVE),
    ("DepthToSpace", "mode"): _words("DCR", "CRD"),
    ("DequantizeLinear", "block_size"): _at_least(0),
    ("FeatureVectorizer", "inputdimensions"): _each(_POSITIVE),
    ("GatherND", "batch_dims"): _at_least(0),
    ("Gelu", "approximate"): _words("none", "tanh"),
    ("GridSample", "mode"): _words("linear", "bilinear", "nearest", "cubic", "bicubic"),
    ("GridSample", "padding_mode"): _words("zeros", "border", "reflection"),
    ("LRN", "size"): _POSITIVE,
    ("LinearRegressor", "targets"): _POSITIVE,
    ("LpNormalization", "p"): _one_of(1, 2),
    ("MatMulNBits", "K"): _POSITIVE,
    ("MatMulNBits", "N"): _POSITIVE,
    ("MatMulNBits", "bits"): _one_of(2, 4, 8),
    ("MatMulNBits", "block_size"): _block,
    ("Multinomial", "sample_size"): _POSITIVE,
    ("NonMaxSuppression", "center_point_box"): _one_of(0, 1),
    ("Normalizer", "norm"): _words("MAX", "L1", "L2"),
    ("Pad", "mode"): _words("constant", "reflect", "edge", "wrap"),
    ("QuantizeLinear", "block_size"): _at_least(0),
    ("Resize", "coordinate_transformation_mode"): _words(
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
        "tf_crop_and_resize", "tf_half_pixel_for_nn",
    ),
    ("Resize", "mode"): _words("nearest", "linear", "cubic"),
    ("Resize", "nearest_mode"): _words("round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"),
    ("ReverseSequence", "batch_axis"): _one_of(0, 1),
    ("ReverseSequence", "time_axis"): _one_of(0, 1),
    ("RoiAlign", "mode"): _words("avg", "max"),
    ("RoiAlign", "output_height"): _at_least(0),
    ("RoiAlign", "output_width"): _at_least(0),
    ("RoiAlign", "sampling_ratio"): _at_least(0),
    ("SVMRegressor", "n_supports"): _at_least(0),
    ("Upsample", "mode"): _words("nearest", "linear", "bilinear", "cubic"),
}  # fmt: skip
"""Attributes of one operator, by its type and their name."""

_MORE_AXES: Mapping[str, int] = {"Flatten": 1, "OneHot": 1, "Softmax": 1, "LogSoftmax": 1, "Hardmax": 1}
"""Operators that take an axis behind the last one, too; Softmax and its kin in old opsets."""
_BY_THE_WAY = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""Operators that look at their axis only where a scale has one."""


def _odd_axis(operation: Operation, rank: int | None) -> str | None:
    operator, axis = operation.operator, operation.plain.get("axis")
    if not rank or operation.domain or operator in _BY_THE_WAY:
        return None
    last = rank - 1 + _MORE_AXES.get(operator, 0)
    axes = operation.plain.get("axes", ()) if operator == "MeanVarianceNormalization" else (axis,)
    for one in axes if isinstance(axes, tuple) else ():
        if isinstance(one, int) and not -last - 1 <= one <= last:
            return f"its axis is {one}, but there are {counted(rank, 'dimension')}"
    return None
