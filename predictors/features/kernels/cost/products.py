"""Work and shapes of kernels that are matrix products inside: convolutions, Gemm, MatMul, recurrences, Einsum."""

from functools import lru_cache
from math import prod

from latcast.schema import UnsupportedGraphError
from latcast.schema.articles import with_article
from predictors.features.kernels.cost.shapes import Shape, Work, count_elements, whole_blocks, whole_columns
from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = [
    "describe_affine",
    "describe_conv",
    "describe_conv_transpose",
    "describe_einsum",
    "describe_few_bits",
    "describe_int8_product",
    "describe_matmul",
    "describe_rnn",
]

_IN_8_BITS = 4
"""Accuracy level from which a product with weights of a few bits rounds its activations to 8 bits."""


def describe_conv(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """A convolution: rows are output positions, columns output channels, depth the window times input channels."""
    if step.operator == "BatchNormalization":
        return describe_affine(plan, step, shape)
    data, weights, out = plan.shape(step.inputs[0]), plan.shape(step.inputs[1]), plan.shape(step.outputs[0])
    if len(weights) < 3 or len(out) != len(weights):
        return 0.0, count_elements(plan, step)
    groups, window, plane = _groups(step), prod(weights[2:]), prod(out[2:])
    strides, dilations, pads = step.ints("strides", (1,)), step.ints("dilations", (1,)), step.ints("pads")
    depth, rows, channels = weights[1] * window, plane * out[0], out[1]
    shape |= {
        "rows": rows, "columns": weights[0] // groups, "depth": depth, "groups": groups, "window": window,
        "window_width": weights[-1], "stride": prod(strides), "channels_in": data[1], "dilation": max(dilations),
        "padding": sum(pads), "channels_out": channels, "constant_weights": 1, "run": plane,
    }  # fmt: skip
    if not step.blocked:
        shape["parts"] = out[0] * groups
        unrolled = rows * depth * groups if window > 1 else 0
        return float(out[0] * whole_columns(plane) * channels * depth), float(out[0] * channels * plane + unrolled)
    depth = whole_blocks(weights[1]) * window if weights[1] >= BLOCK else depth
    shape["parts"] = _blocked_parts(weights, out, groups, window)
    # Lines of the window that fall on padding rather than on the input are skipped.
    inside = _share_of_lines(out[2], data[2], weights[2], strides[0], (pads[0] if pads else 0, dilations[0]))
    macs = rows * whole_blocks(channels) * depth * inside
    return macs, rows * channels + macs * _edge_share(pads, strides, out)


def _groups(step: Step) -> int:
    """Groups of a convolution's channels.

    Raises:
        UnsupportedGraphError: there is none.
    """
    groups = step.integer("group", 1)
    if groups < 1:
        raise UnsupportedGraphError(f"The group of {with_article(step.operator)} is {groups}; it has to be at least 1.")
    return groups


@lru_cache(maxsize=4096)
def _share_of_lines(lines: int, size: int, window: int, stride: int, padding: tuple[int, int]) -> float:
    (pad, dilation), inside = padding, 0
    for tap in range(window):
        offset = tap * dilation - pad  # of this tap from a line's start; it is inside from `first` to before `last`
        first, last = max(0, -(offset // stride)), min(lines, -(-(size - offset) // stride))
        inside += max(0, last - first)
    return inside / (lines * window) if lines and window else 1.0


def _edge_share(pads: tuple[int, ...], strides: tuple[int, ...], out: tuple[int, ...]) -> float:
    """Share of the outputs whose window reaches over the left or right edge: they are computed one by one."""
    if not any(pads):
        return 0.0
    beyond = -(-pads[1] // strides[-1]) - (-pads[3] // strides[-1])
    return min(1.0, beyond / max(1, out[-1]))


def _blocked_parts(weights: tuple[int, ...], out: tuple[int, ...], groups: int, window: int) -> float:
    """How often the innermost routine is called: by output line, set of four filter blocks, and block of inputs."""
    depthwise = weights[1] == 1 and groups > 1
    filters = -(-out[1] // BLOCK) if depthwise else groups * -(-out[1] // (4 * BLOCK * groups))
    pointwise = window == 1
    inputs = -(-weights[1] // (8 * BLOCK if pointwise else BLOCK))
    return float(out[0] * filters * (1 if pointwise else out[2]) * inputs)


def describe_affine(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """BatchNormalization, or a factor per channel, on blocks: a depthwise convolution with a window of one."""
    out = plan.shape(step.outputs[0])
    rows = out[0] * prod(out[2:])
    shape.update(rows=rows, columns=1, depth=1, groups=out[1], window=1, window_width=1, stride=1, dilation=1)
    shape.update(channels_in=out[1], channels_out=out[1], constant_weights=1, run=prod(out[2:]))
    shape["parts"] = out[0] * -(-out[1] // BLOCK)
    return float(rows * whole_blocks(out[1])), float(prod(out))


def describe_conv_transpose(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """A transposed convolution: a product at each input position, then scattered additions."""
    data, weights = plan.shape(step.inputs[0]), plan.shape(step.inputs[1])
    if len(weights) < 3 or len(data) != len(weights):
        return 0.0, count_elements(plan, step)
    groups, window = _groups(step), prod(weights[2:])
    rows = data[0] * prod(data[2:])
    shape.update(rows=rows, columns=weights[1] * window, depth=data[1] // groups, groups=groups, window=window)
    shape.update(window_width=weights[-1], stride=prod(step.ints("strides", (1,))), channels_in=data[1])
    shape.update(channels_out=weights[1] * groups, dilation=max(step.ints("dilations", (1,))), parts=data[0] * groups)
    return float(rows * weights[1] * window * data[1]), float(rows * weights[1] * groups * window)


def describe_matmul(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """MatMul and Gemm, also with arguments transposed on the fly."""
    left, right, out = plan.shape(step.inputs[0]), plan.shape(step.inputs[1]), plan.shape(step.outputs[0])
    if not left or not right:
        return 0.0, count_elements(plan, step)
    columns = out[-1] if out else 1
    total_rows = max(1, prod(out[:-1]))
    depth = prod(left) // total_rows if prod(left) % total_rows == 0 else left[-1]
    groups = 1 if len(right) <= 2 else max(1, prod(out[:-2]))
    shape.update(rows=total_rows // groups, columns=columns, depth=depth, groups=groups, variant=float(len(left)))
    shape["transposed"] = float(step.integer("transA", 0) + 2 * step.integer("transB", 0))
    shape.update(constant_weights=float(plan.is_constant(step.inputs[1])), parts=groups)
    return float(total_rows) * depth * whole_columns(columns), float(prod(out))


def describe_int8_product(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Products in 8 bits; those that take floats quantise them on the way."""
    macs, operations = describe_matmul(plan, step, shape)
    if step.operator == "DynamicQuantizeMatMul":
        operations += 5.0 * plan.spec(step.inputs[0]).elements
    shape["variant"] = float("Float" in step.operator) + 2.0 * float(step.operator == "DynamicQuantizeMatMul")
    return macs, operations


def describe_few_bits(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """MatMulNBits: weights of a few bits, unpacked block by block."""
    depth, columns = step.integer("K", 1), step.integer("N", 1)
    rows = prod(plan.shape(step.inputs[0])[:-1])
    shape.update(rows=rows, depth=depth, columns=columns, groups=1, window=step.integer("block_size", 32), parts=1)
    in_8_bits = step.integer("accuracy_level", 0) >= _IN_8_BITS
    shape.update(variant=float(step.integer("bits", 4) + 8 * in_8_bits), constant_weights=1)
    return float(rows) * depth * columns, float(depth) * columns


def describe_rnn(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """RNN, GRU, LSTM: one product for all inputs, then one for each step, which reads the weights again."""
    data, recurrence = plan.shape(step.inputs[0]), plan.shape(step.inputs[2]) if len(step.inputs) > 2 else ()
    if len(data) != 3 or len(recurrence) != 3:
        return 0.0, count_elements(plan, step)
    sequence, batch, size = data if not step.integer("layout", 0) else (data[1], data[0], data[2])
    directions, gates, hidden = recurrence
    if step.operator == "DynamicQuantizeLSTM":  # its weights are transposed
        gates, hidden = hidden, gates
    shape.update(batch=batch, rows=sequence, columns=gates, depth=hidden, groups=directions, channels_in=size)
    shape.update(
        channels_out=hidden, variant={"LSTM": 4.0, "DynamicQuantizeLSTM": 4.0, "GRU": 3.0}.get(step.operator, 1.0)
    )
    steps = float(sequence * batch * directions)
    shape["parts"] = sequence * directions
    weights_read_again = sequence * directions * gates * hidden
    return steps * gates * (size + hidden), steps * gates * 5 + weights_read_again


def describe_einsum(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Einsum, by the multiply-accumulates that its equation takes."""
    macs = float(plan.graph.nodes[step.main].macs)
    elements = max(1.0, count_elements(plan, step))
    shape.update(depth=macs / elements, rows=elements, parts=1)
    return macs, elements
