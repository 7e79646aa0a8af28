"""What a kernel has to do: its class, its work, and the shapes that decide how well it does it.

Everything follows from operators, attributes and shapes; nothing from a runtime's profile. Dimensions are told in the
terms of a matrix product wherever there is one: `rows` × `depth` times `depth` × `columns`, `groups` times.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from predictors.features.kernels.classes import ELEMENT_COST, kernel_class
from predictors.features.kernels.layout import BLOCK, Reorder
from predictors.features.kernels.plan import FusionPlan, Step

__all__ = ["NOTHING", "SHAPE_FEATURES", "Kernel", "describe_reorder", "describe_step"]

SHAPE_FEATURES: tuple[str, ...] = (
    "batch", "rows", "columns", "depth", "groups", "width", "window", "window_width", "stride", "dilation", "padding",
    "channels_in", "channels_out", "axis", "run", "rank", "reads", "writes", "blocked", "activation", "residual",
    "element_cost", "transposed", "constant_weights", "variant",
)  # fmt: skip
"""Names of `Kernel.shape`: sizes in elements, counts, and flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel that a runtime is expected to execute.

    Args:
        kind: one of `CLASSES`.
        operator: what it runs, for example `Conv`.
        nodes: indices into `Graph.nodes` that it covers; empty for a change of layout.
        anchor: the node whose output it writes, or next to which a change of layout stands.
        macs: multiply-accumulates, padding to whole blocks included.
        operations: element-wise operations besides.
        input_bytes, output_bytes, parameter_bytes: what it reads and writes at least once.
        elements: of the output, padding not included.
        shape: values of `SHAPE_FEATURES`.
        repeats: how often it runs in one run of the graph.
        known: its operator is one that the work model was made for, and its shapes are known.
    """

    kind: str
    operator: str
    nodes: tuple[int, ...]
    anchor: int
    macs: float
    operations: float
    input_bytes: float
    output_bytes: float
    parameter_bytes: float
    elements: float
    shape: Mapping[str, float]
    repeats: float = 1.0
    known: bool = True


NOTHING = Kernel(
    kind="reshape",
    operator="Identity",
    nodes=(),
    anchor=-1,
    macs=0.0,
    operations=0.0,
    input_bytes=0.0,
    output_bytes=0.0,
    parameter_bytes=0.0,
    elements=0.0,
    shape=dict.fromkeys(SHAPE_FEATURES, 0.0),
)
"""What a runtime executes for a graph that computes nothing."""


def describe_step(plan: FusionPlan, step: Step) -> Kernel:
    """The kernel that a step becomes."""
    kind = kernel_class(plan, step)
    shape = _common(plan, step)
    macs, operations = _DESCRIBE.get(kind, _describe_other)(plan, step, shape)
    macs = macs or plan.graph.nodes[step.main].macs
    constants = {tensor for tensor in step.inputs if tensor >= 0 and plan.is_constant(tensor)}
    variables = {tensor for tensor in step.inputs if tensor >= 0} - constants
    tensors = [tensor for tensor in (*step.inputs[:1], *step.outputs[:1]) if tensor >= 0]
    return Kernel(
        kind=kind,
        operator=step.operator,
        nodes=tuple(step.nodes),
        anchor=step.position,
        macs=float(macs),
        operations=float(operations) + _elements(plan, step) * shape["activation"],
        input_bytes=float(sum(plan.spec(tensor).size_bytes for tensor in variables)),
        output_bytes=float(sum(plan.spec(tensor).size_bytes for tensor in step.outputs if tensor >= 0)),
        parameter_bytes=float(sum(plan.spec(tensor).size_bytes for tensor in constants)),
        elements=_elements(plan, step),
        shape=shape,
        known=kind not in {"other", "control"} and all(plan.spec(tensor).shape is not None for tensor in tensors),
    )


def describe_reorder(plan: FusionPlan, reorder: Reorder) -> Kernel:
    """The kernel of a change of layout."""
    spec = plan.spec(reorder.tensor)
    shape = dict.fromkeys(SHAPE_FEATURES, 0.0)
    dims = spec.shape or (1, 1)
    shape.update(batch=dims[0], channels_in=dims[1], channels_out=dims[1], run=prod(dims[2:]), rank=len(dims), reads=1)
    shape.update(writes=1, blocked=1, variant=float(reorder.to_blocks), width=dims[-1])
    return Kernel(
        kind="reorder",
        operator="ReorderInput" if reorder.to_blocks else "ReorderOutput",
        nodes=(),
        anchor=reorder.step.position,
        macs=0.0,
        operations=float(spec.elements),
        input_bytes=float(spec.size_bytes),
        output_bytes=float(spec.size_bytes),
        parameter_bytes=0.0,
        elements=float(spec.elements),
        shape=shape,
    )


def _elements(plan: FusionPlan, step: Step) -> float:
    return float(plan.spec(step.outputs[0]).elements) if step.outputs and step.outputs[0] >= 0 else 0.0


def _common(plan: FusionPlan, step: Step) -> dict[str, float]:
    """Features that every kernel has."""
    shape = dict.fromkeys(SHAPE_FEATURES, 0.0)
    out = plan.shape(step.outputs[0]) if step.outputs else ()
    shape.update(
        batch=out[0] if out else 1,
        rank=len(out),
        run=out[-1] if out else 1,
        width=out[-1] if len(out) > 2 else 1,
        reads=sum(tensor >= 0 and not plan.is_constant(tensor) for tensor in step.inputs),
        writes=sum(tensor >= 0 for tensor in step.outputs),
        blocked=float(step.blocked),
        residual=float(step.residual),
        activation=sum(ELEMENT_COST.get(name, 5.0) for name in step.activations),
        element_cost=ELEMENT_COST.get(step.operator, 0.0),
    )
    return shape


Work = tuple[float, float]
Shape = dict[str, float]


def _blocks(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _describe_conv(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    if step.operator != "Conv":
        return _describe_affine(plan, step, shape)
    data, weights, out = plan.shape(step.inputs[0]), plan.shape(step.inputs[1]), plan.shape(step.outputs[0])
    if len(weights) < 3 or len(out) != len(weights):
        return 0.0, _elements(plan, step)
    groups, window = step.integer("group", 1), prod(weights[2:])
    depth = weights[1] * window
    rows = prod(out[2:]) * out[0]
    shape.update(rows=rows, columns=weights[0] // groups, depth=depth, groups=groups, window=window)
    shape.update(window_width=weights[-1], stride=prod(step.ints("strides", (1,))), channels_in=data[1])
    shape.update(dilation=max(step.ints("dilations", (1,))), padding=sum(step.ints("pads")), channels_out=out[1])
    shape.update(constant_weights=1, run=prod(out[2:]))
    channels = _blocks(out[1]) if step.blocked else out[1]
    inner = _blocks(weights[1]) * window if step.blocked and weights[1] >= BLOCK else depth
    return float(rows * channels * inner), float(prod(out))


def _describe_affine(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """BatchNormalization, or a factor per channel, on blocks: a depthwise convolution with a window of one."""
    out = plan.shape(step.outputs[0])
    rows = out[0] * prod(out[2:])
    shape.update(rows=rows, columns=1, depth=1, groups=out[1], window=1, window_width=1, stride=1, dilation=1)
    shape.update(channels_in=out[1], channels_out=out[1], constant_weights=1, run=prod(out[2:]))
    return float(rows * _blocks(out[1])), float(prod(out))


def _describe_conv_transpose(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    data, weights = plan.shape(step.inputs[0]), plan.shape(step.inputs[1])
    groups, window = step.integer("group", 1), prod(weights[2:])
    rows = data[0] * prod(data[2:])
    shape.update(rows=rows, columns=weights[1] * window, depth=data[1] // groups, groups=groups, window=window)
    shape.update(window_width=weights[-1], stride=prod(step.ints("strides", (1,))), channels_in=data[1])
    shape.update(channels_out=weights[1] * groups, dilation=max(step.ints("dilations", (1,))))
    return float(rows * weights[1] * window * data[1]), float(rows * weights[1] * groups * window)


def _describe_matmul(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    left, right, out = plan.shape(step.inputs[0]), plan.shape(step.inputs[1]), plan.shape(step.outputs[0])
    if not left or not right:
        return 0.0, _elements(plan, step)
    transposed_left = bool(step.integer("transA", 0)) and len(left) == 2
    depth = left[0] if transposed_left else left[-1]
    columns = max(1, prod(right) // max(1, depth * prod(right[:-2])))
    total_rows = max(1, prod(out) // max(1, columns))
    groups = 1 if len(right) <= 2 else max(1, prod(out[:-2]))
    shape.update(rows=total_rows // groups, columns=columns, depth=depth, groups=groups)
    shape.update(transposed=transposed_left + 2.0 * step.integer("transB", 0), variant=float(len(left)))
    shape.update(constant_weights=float(plan.is_constant(step.inputs[1])))
    return float(total_rows) * depth * columns, float(prod(out))


def _describe_rnn(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    data, recurrence = plan.shape(step.inputs[0]), plan.shape(step.inputs[2])
    if len(data) != 3 or len(recurrence) != 3:
        return 0.0, _elements(plan, step)
    sequence, batch, size = data if not step.integer("layout", 0) else (data[1], data[0], data[2])
    directions, gates, hidden = recurrence
    shape.update(batch=batch, rows=sequence, columns=gates, depth=hidden, groups=directions, channels_in=size)
    shape.update(channels_out=hidden, variant={"LSTM": 4.0, "GRU": 3.0}.get(step.operator, 1.0))
    steps = float(sequence * batch * directions)
    return steps * gates * (size + hidden), steps * gates * 5


def _describe_einsum(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    macs = float(plan.graph.nodes[step.main].macs)
    elements = max(1.0, _elements(plan, step))
    shape.update(depth=macs / elements, rows=elements)
    return macs, elements


def _describe_elementwise(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    cost = ELEMENT_COST.get(step.operator, 5.0)
    out = plan.shape(step.outputs[0])
    shape["run"] = prod(out)
    shape["constant_weights"] = float(any(tensor >= 0 and plan.is_constant(tensor) for tensor in step.inputs))
    return 0.0, _elements(plan, step) * cost


def _describe_broadcast(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Broadcasting runs in loops over the trailing axes in which no operand changes its way."""
    work = _describe_elementwise(plan, step, shape)
    out = plan.shape(step.outputs[0])
    shapes = [plan.shape(tensor) for tensor in step.inputs if tensor >= 0]
    padded = [(1,) * (len(out) - len(item)) + item for item in shapes]
    run, kinds = 1, None
    for axis in range(len(out) - 1, -1, -1):
        if out[axis] == 1:
            continue
        now = tuple(item[axis] == 1 for item in padded)
        if kinds is not None and now != kinds:
            break
        kinds, run = now, run * out[axis]
    shape.update(run=run, axis=min(prod(item) for item in shapes), variant=float(any(kinds or ())))
    return work


def _describe_pool(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    whole = step.operator.startswith("Global")
    kernel = data[2:] if whole else step.ints("kernel_shape", (1,))
    shape.update(window=prod(kernel), window_width=kernel[-1] if kernel else 1, channels_in=data[1] if data[1:] else 1)
    shape.update(stride=prod(step.ints("strides", (1,))), padding=sum(step.ints("pads")), run=prod(out[2:]))
    shape.update(variant=float("Average" in step.operator))
    return 0.0, _elements(plan, step) * prod(kernel)


def _describe_axis(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Normalisations and softmax: rows along an axis, each read a few times."""
    data = plan.shape(step.inputs[0])
    axis = step.integer("axis", 1 if plan.graph.opset < 13 and "oftmax" in step.operator else -1)
    if step.operator in {"InstanceNormalization", "GroupNormalization"}:
        axis = 2
    length = (
        prod(data[axis:])
        if _covers_rest(plan, step)
        else (data or (1,))[axis if -len(data) <= axis < len(data) else -1]
    )
    inner = 1 if _covers_rest(plan, step) else prod(data[axis % len(data) + 1 :]) if data else 1
    shape.update(axis=length, rows=prod(data) // max(1, length), run=inner)
    cost = 12.0 if "oftmax" in step.operator else 6.0
    shape.update(element_cost=cost, variant=float("Skip" in step.operator))
    return 0.0, prod(data) * cost


def _covers_rest(plan: FusionPlan, step: Step) -> bool:
    return step.operator.endswith("Normalization") or ("oftmax" in step.operator and plan.graph.opset < 13)


def _describe_reduce(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    elements = prod(data)
    kept = [size for size in data if size in out] if len(out) == len(data) else list(out)
    last = bool(data) and bool(out) and len(out) == len(data) and data[-1] == out[-1] and data[-1] > 1
    shape.update(axis=elements // max(1, prod(out)), rows=prod(out), run=data[-1] if data else 1)
    shape.update(variant=float(last), depth=len(kept))
    return 0.0, float(elements)


def _describe_copy(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Concat, Split, Slice, Gather and the like: contiguous runs are copied."""
    data, out = plan.shape(step.inputs[0]) if step.inputs else (), plan.shape(step.outputs[0])
    rank = max(1, len(data))
    axis = step.integer("axis", 0) % rank
    if step.operator in {"Slice", "Pad", "Expand", "Tile"}:
        changed = [i for i, (a, b) in enumerate(zip(data, out, strict=False)) if a != b]
        axis = changed[-1] if changed and len(data) == len(out) else 0
    whole = data if step.operator != "Concat" else out
    run = prod(whole[axis + 1 :]) if step.operator == "Gather" else prod(whole[axis:])
    shape.update(axis=axis, run=run / max(1.0, shape["reads"] if step.operator == "Concat" else shape["writes"]))
    return 0.0, sum(plan.spec(tensor).elements for tensor in step.outputs if tensor >= 0)


def _describe_transpose(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    data = plan.shape(step.inputs[0])
    perm = step.ints("perm", tuple(reversed(range(len(data)))))
    moved = [axis for axis in perm if axis < len(data) and data[axis] > 1]
    groups = _merge_axes(moved)
    fixed = moved and moved[-1] == max(moved)
    last = groups[-1] if groups else []
    shape.update(run=prod(data[axis] for axis in last) if fixed else 1, rank=len(groups), variant=float(bool(fixed)))
    shape.update(rows=prod(data[axis] for axis in groups[0]) if groups else 1, axis=data[-1] if data else 1)
    shape.update(columns=prod(data[axis] for axis in last))
    return 0.0, float(prod(data))


def _merge_axes(order: list[int]) -> list[list[int]]:
    """Axes that stay neighbours move as one."""
    ranks = {axis: place for place, axis in enumerate(sorted(order))}
    groups: list[list[int]] = []
    for axis in order:
        if groups and ranks[axis] == ranks[groups[-1][-1]] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _describe_resize(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    mode = str(step.attributes.get("mode", "nearest"))
    cost = {"nearest": 2.0, "linear": 12.0, "bilinear": 12.0, "cubic": 60.0, "bicubic": 60.0}.get(mode, 12.0)
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    last = bool(data) and len(data) == len(out) and data[-1] != out[-1]
    shape.update(element_cost=cost, run=prod(out[2:]), variant=float(last), channels_in=data[1] if data[1:] else 1)
    return 0.0, _elements(plan, step) * cost


def _describe_lrn(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    size = step.integer("size", 5)
    shape.update(window=size, element_cost=20.0)
    return 0.0, _elements(plan, step) * (20.0 + size)


def _describe_other(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    node = plan.graph.nodes[step.main]
    read = sum(plan.spec(tensor).elements for tensor in step.inputs if tensor >= 0 and not plan.is_constant(tensor))
    return float(node.macs), max(float(node.flops - 2 * node.macs), read, _elements(plan, step))


_DESCRIBE: Mapping[str, Callable[[FusionPlan, Step, Shape], Work]] = {
    **dict.fromkeys(("conv", "conv_pointwise", "conv_depthwise"), _describe_conv),
    **dict.fromkeys(("conv_grouped", "conv_direct", "conv_plain"), _describe_conv),
    **dict.fromkeys(("gemm", "matmul"), _describe_matmul),
    **dict.fromkeys(("elementwise", "activation"), _describe_elementwise),
    **dict.fromkeys(("pool", "global_pool"), _describe_pool),
    **dict.fromkeys(("norm", "softmax"), _describe_axis),
    **dict.fromkeys(("concat", "split", "slice", "gather", "scatter", "copy", "pad"), _describe_copy),
    "conv_transpose": _describe_conv_transpose, "rnn": _describe_rnn, "einsum": _describe_einsum,
    "broadcast": _describe_broadcast, "reduce": _describe_reduce, "transpose": _describe_transpose,
    "resize": _describe_resize, "lrn": _describe_lrn,
}  # fmt: skip
