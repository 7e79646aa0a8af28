"""Work and shapes of kernels that pass over tensors: element by element, by window, along axes, or moving them."""

from math import prod

from predictors.features.kernels.cost.classes import ELEMENT_COST
from predictors.features.kernels.cost.shapes import Shape, Work, count_elements, padded_elements
from predictors.features.kernels.rewrite.int8_fusion import IN_4_BITS
from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained

__all__ = [
    "describe_activation",
    "describe_axis",
    "describe_broadcast",
    "describe_copy",
    "describe_elementwise",
    "describe_int8_pass",
    "describe_lrn",
    "describe_other",
    "describe_pool",
    "describe_reduce",
    "describe_resize",
    "describe_transpose",
]

_COMPARISONS = {"Greater", "Less", "GreaterOrEqual", "LessOrEqual"}

_DRAWN = 40.0
"""Additions that drawing whether to keep an element takes: 3 ns, where a Sigmoid of 2.5 takes .2."""


_SCALES = {"QuantizeLinear", "DequantizeLinear"}
_SCALE_STARTS, _HALF_BYTE = 16.0, 9.0
"""Additions beside that go with a scale each time that it changes, and with an element of 4 bits. ONNX Runtime unpacks
int8 with one scale in .13 to .19 ns an element; with one for each column in 1.4, and 4 bits in .8 to 1.0."""


def describe_activation(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """One function of each element; with several inputs, broadcast as need be."""
    several = sum(tensor >= 0 and plan.spec(tensor).elements > 1 for tensor in step.inputs) > 1
    return (describe_broadcast if several else describe_elementwise)(plan, step, shape)


def describe_elementwise(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """One pass over tensors of equal shape."""
    cost = _element_cost(plan, step)
    out = plan.shape(step.outputs[0])
    shape.update(run=prod(out), parts=1, element_cost=cost)
    shape["constant_weights"] = float(any(tensor >= 0 and plan.is_constant(tensor) for tensor in step.inputs))
    return 0.0, padded_elements(plan, step) * cost


def _element_cost(plan: FusionPlan, step: Step) -> float:
    """A power with a constant exponent is a product or two."""
    if step.operator == "Dropout" and is_trained(step):
        return _DRAWN
    if step.operator == "Pow" and plan.is_constant(step.inputs[1]) and plan.spec(step.inputs[1]).elements == 1:
        return 3.0
    if step.operator == "Where":
        return _choice_cost(plan, step)
    if step.operator in _SCALES:
        return _scaling_cost(plan, step)
    return ELEMENT_COST.get(step.operator, 5.0)


def _scaling_cost(plan: FusionPlan, step: Step) -> float:
    """Changing to and from few bits; the runtime vectorises over the elements that follow each other with one scale."""
    cost, shape = ELEMENT_COST[step.operator], plan.shape(step.inputs[0])
    packed = step.inputs[0] if step.operator == "DequantizeLinear" else step.outputs[0]
    if plan.spec(packed).dtype in IN_4_BITS:
        cost += _HALF_BYTE
    axis = step.integer("axis", 1) % max(1, len(shape))
    if len(step.inputs) > 1 and plan.spec(step.inputs[1]).elements > 1 and not step.integer("block_size", 0):
        cost += _SCALE_STARTS / max(1, prod(shape[axis + 1 :]))
    return cost


def _choice_cost(plan: FusionPlan, step: Step) -> float:
    """Choosing is as dear as the condition is hard to guess: one computed from data mispredicts every other branch."""
    condition = plan.producer(step.inputs[0])
    compared = condition is not None and condition.operator in _COMPARISONS
    if not compared or plan.spec(step.inputs[0]).elements < count_elements(plan, step):
        return 2.5
    single = sum(plan.spec(tensor).elements == 1 for tensor in step.inputs[1:])
    return (40.0, 20.0, 2.0)[min(single, 2)]


def describe_broadcast(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Broadcasting runs in loops over the trailing axes in which no operand changes its way."""
    work = describe_elementwise(plan, step, shape)
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
    shape.update(run=run, axis=min(map(prod, shapes), default=0), variant=float(any(kinds or ())))
    if step.channels_first:
        run = prod(out) // max(1, out[-1])
        shape["run"] = run
    shape["parts"] = prod(out) / max(1, run)
    return work


def describe_pool(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Poolings: a window for each output."""
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    whole = "Global" in step.operator
    kernel = data[2:] if whole else step.ints("kernel_shape", (1,))
    shape.update(window=prod(kernel), window_width=kernel[-1] if kernel else 1, channels_in=data[1] if data[1:] else 1)
    shape.update(stride=prod(step.ints("strides", (1,))), padding=sum(step.ints("pads")), run=prod(out[2:]))
    shape.update(variant=float("Average" in step.operator), channels_out=shape["channels_in"])
    planes = data[0] * (-(-data[1] // BLOCK) if step.blocked else data[1]) if len(data) > 1 else 1
    shape["parts"] = planes * (out[2] if len(out) > 2 else 1)
    return 0.0, padded_elements(plan, step) * prod(kernel)


def describe_axis(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Normalisations and softmax: rows along an axis, each read a few times."""
    data = plan.shape(step.inputs[0])
    axis = step.integer("axis", 1 if plan.graph.opset < 13 and "oftmax" in step.operator else -1)
    if step.operator in {"InstanceNormalization", "GroupNormalization", "BatchNormalization"}:
        axis = 2
    axis = min(axis % max(1, len(data)), max(0, len(data) - 1))
    whole = step.operator.endswith("Normalization") or (plan.graph.opset < 13 and "oftmax" in step.operator)
    length = prod(data[axis:]) if whole else prod(data[axis : axis + 1])
    inner = 1 if whole else prod(data[axis + 1 :])
    rows = prod(data) // max(1, length)
    shape.update(axis=length, rows=rows, run=length if inner == 1 else inner, parts=rows)
    shape.update(variant=float(inner > 1))
    cost = ELEMENT_COST.get("InstanceNormalization" if is_trained(step) else step.operator, 5.0)
    if "oftmax" in step.operator and inner > 1:  # the axis is moved to the end, element by element, and back
        shape["parts"] = prod(data)
        cost *= 10
    return 0.0, prod(data) * cost


def describe_reduce(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Reductions; contiguous runs are reduced, or kept, as a whole."""
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    kept = _kept_axes(data, out)
    run, inner = 1, kept[-1] if kept else False
    for size, stays in zip(reversed(data), reversed(kept), strict=True):
        if stays != inner:
            break
        run *= size
    elements, outer = prod(data), kept.index(False) if False in kept else 0
    leading = prod(data[:outer]) > 1
    if step.channels_first:
        run, inner, leading = prod(out) // max(1, data[0]), True, data[0] > 1
    variant = float(inner) * (1 if leading else 2)  # along the last axis, a middle one, the first one
    shape.update(axis=elements // max(1, prod(out)), rows=prod(out), run=run, variant=variant)
    shape["parts"] = elements / max(1, run)
    return 0.0, float(elements) * ELEMENT_COST.get(step.operator, 1.0)


def _kept_axes(data: tuple[int, ...], out: tuple[int, ...]) -> list[bool]:
    """Which axes a reduction leaves, by shapes alone: its axes may be an input."""
    if len(data) == len(out):
        return [before == after and before > 1 for before, after in zip(data, out, strict=True)]
    left, kept = list(out), []
    for place, size in enumerate(data):
        stays = bool(left) and left[0] == size and len(data) - place >= len(left)
        kept.append(stays)
        left = left[1:] if stays else left
    return kept


def describe_int8_pass(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Element-wise functions, poolings and joins in 8 bits."""
    if "Pool" in step.operator:
        return describe_pool(plan, step, shape)
    if step.operator == "QLinearConcat":
        return describe_copy(plan, step, shape)
    work = describe_broadcast(plan, step, shape) if len(step.inputs) > 1 else describe_elementwise(plan, step, shape)
    shape["axis"] = shape["axis"] or float("Softmax" in step.operator) * shape["width"]
    return work


def describe_copy(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Concat, Split, Slice, Gather and the like: contiguous runs are copied."""
    data, out = plan.shape(step.inputs[0]) if step.inputs else (), plan.shape(step.outputs[0])
    rank = max(1, len(data))
    axis = step.integer("axis", 0) % rank
    if step.operator in {"Slice", "Pad", "Expand", "Tile"}:
        changed = [i for i, (a, b) in enumerate(zip(data, out, strict=False)) if a != b]
        axis = changed[-1] if changed and len(data) == len(out) else 0
    whole = out if step.operator in {"Concat", "Slice"} else data
    run = prod(whole[axis + 1 :]) if step.operator == "Gather" else prod(whole[axis:])
    if step.operator == "GatherElements":
        run = 1
    if step.operator == "GatherND":
        indices = plan.shape(step.inputs[1]) if len(step.inputs) > 1 else ()
        run = prod(out) // max(1, prod(indices[:-1]))
    shape.update(axis=axis, run=run / max(1.0, shape["reads"] if step.operator == "Concat" else shape["writes"]))
    written = sum(plan.spec(tensor).elements for tensor in step.outputs if tensor >= 0)
    shape["parts"] = written / max(1.0, shape["run"])
    return 0.0, written


def describe_transpose(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Transposes; axes that stay neighbours move as one, and what stays last is copied in runs."""
    data = plan.shape(step.inputs[0])
    perm = step.ints("perm", tuple(reversed(range(len(data)))))
    moved = [axis for axis in perm if axis < len(data) and data[axis] > 1]
    groups = _merge_axes(moved)
    fixed = moved and moved[-1] == max(moved)
    last = groups[-1] if groups else []
    shape.update(run=prod(data[axis] for axis in last) if fixed else 1, rank=len(groups), variant=float(bool(fixed)))
    shape.update(rows=prod(data[axis] for axis in groups[0]) if groups else 1, axis=data[-1] if data else 1)
    shape.update(columns=prod(data[axis] for axis in last), parts=prod(data) / max(1.0, shape["run"]))
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


def describe_resize(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Resizing; its cost depends on the mode of interpolation."""
    mode = str(step.attributes.get("mode", "nearest"))
    blocked = {"linear": 3.0} if step.blocked else {}
    cost = {"nearest": 2.0, "linear": 12.0, "bilinear": 12.0, "cubic": 60.0, "bicubic": 60.0, **blocked}.get(mode, 12.0)
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    last = bool(data) and len(data) == len(out) and data[-1] != out[-1]
    channels = data[1] if data[1:] else 1
    shape.update(element_cost=cost, run=prod(out[2:]), variant=float(last), channels_in=channels, channels_out=channels)
    shape["parts"] = prod(out[:-1])
    return 0.0, padded_elements(plan, step) * cost


def describe_lrn(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Local response normalisation: a power for each element."""
    size = step.integer("size", 5)
    shape.update(window=size, parts=prod(plan.shape(step.outputs[0])[:2]))
    return 0.0, count_elements(plan, step) * (ELEMENT_COST["LRN"] + size)


def describe_other(plan: FusionPlan, step: Step, shape: Shape) -> Work:
    """Operators without a work model of their own: what the graph says of their work, and what they read and write."""
    node = plan.graph.nodes[step.main]
    read = sum(plan.spec(tensor).elements for tensor in step.inputs if tensor >= 0 and not plan.is_constant(tensor))
    return float(node.macs), max(float(node.flops - 2 * node.macs), read, count_elements(plan, step))
