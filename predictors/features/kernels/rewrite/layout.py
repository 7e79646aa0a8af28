"""Where a CPU runtime keeps tensors in channel blocks, and where it has to reorder them.

Convolutions run on tensors whose channels are grouped in blocks of the vector width (NCHWc). A runtime converts at the
borders, and carries poolings, additions, concatenations and some activations along. The rules are those of ONNX
Runtime's layout transformer: block of 16, as with AVX-512; with AVX2 it is 8, and a few kernels more are blocked.
"""

from dataclasses import dataclass, field
from math import isclose, prod

from predictors.features.kernels.rewrite.fusion import CONV_ACTIVATIONS
from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained
from predictors.features.kernels.traits import Level

__all__ = ["BLOCK", "Border", "Reorder", "assign_layouts"]

BLOCK = 16
_ALIGNMENT = 4
_POOLS = {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}
_CARRIED = {"Relu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Gelu", "QuickGelu"}
_FOLLOWING = {
    "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearAveragePool",
    "QLinearGlobalAveragePool", "MaxPool", "DequantizeLinear", "QuantizeLinear", "Relu", "Clip", "LeakyRelu", "PRelu",
    "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Elu", "Gelu", "QuickGelu", "Add", "Sub", "Mul", "Div",
    "Split", "Slice", "Resize", "Upsample",
}  # fmt: skip
"""Operators that run with channels last when all that they read has them last, beside 8-bit convolutions."""
_POOLS_IN_8_BITS = {"QLinearAveragePool", "QLinearGlobalAveragePool", "MaxPool"}
"""Those of them that do so wherever their result goes."""
_TO_CHANNELS_LAST, _FROM_CHANNELS_LAST = (0, 2, 3, 1), (0, 3, 1, 2)


class Reorder:
    """A change of layout that the runtime inserts.

    Args:
        tensor: which tensor is converted.
        special: into channel blocks or channels last, else back to plain.
        step: the step next to which it stands.
        blocks: the layout beside the plain one is channel blocks, else channels last.
    """

    __slots__ = ("blocks", "special", "step", "tensor")

    def __init__(self, tensor: int, *, special: bool, step: Step, blocks: bool = True) -> None:
        self.tensor, self.special, self.step, self.blocks = tensor, special, step, blocks


@dataclass(frozen=True, slots=True)
class Border:
    """Where a graph that is a part of a larger one touches the others.

    Args:
        blocked: tensors in channel blocks: on the way in those that come so, after `assign_layouts` all.
        handed_on: results that another part reads in whichever layout they have.
        converted: tensors that are there in the other layout, too: on the way in those of earlier parts, after
            `assign_layouts` all.
    """

    blocked: set[int] = field(default_factory=set)
    handed_on: frozenset[int] = frozenset()
    converted: set[int] = field(default_factory=set)


class _Layouts:
    def __init__(self, plan: FusionPlan, border: Border) -> None:
        self.plan = plan
        self.blocked = border.blocked
        self.converted = frozenset(border.converted)
        self.channels_last: set[int] = set()
        self.leading_to_8_bits = _leading_to_convolutions_in_8_bits(plan)
        self.reorders: dict[tuple[int, bool], Reorder] = {}

    def read_blocked(self, tensor: int, step: Step) -> None:
        """The step needs the tensor in blocks."""
        if tensor not in self.blocked and tensor not in self.converted:
            self.reorders.setdefault((tensor, True), Reorder(tensor, special=True, step=step))

    def read_plain(self, tensor: int, step: Step) -> None:
        """The step needs the tensor as it is in the graph."""
        if tensor not in self.converted and (tensor in self.blocked or tensor in self.channels_last):
            blocks = tensor in self.blocked
            self.reorders.setdefault((tensor, False), Reorder(tensor, special=False, step=step, blocks=blocks))

    def read_channels_last(self, tensor: int, step: Step) -> None:
        """The step needs the tensor with its channels last."""
        if tensor not in self.channels_last:
            self.reorders.setdefault((tensor, True), Reorder(tensor, special=True, step=step, blocks=False))

    def write_blocked(self, step: Step) -> None:
        step.blocked = True
        self.blocked.add(step.outputs[0])


def assign_layouts(plan: FusionPlan, level: Level = Level.ALL, border: Border | None = None) -> list[Reorder]:
    """Mark the steps that run on channel blocks, merge what that allows, and tell the conversions needed.

    Args:
        plan: changed in place.
        level: how far the runtime goes.
        border: of a graph that is a part of a larger one; changed in place.
    """
    if level < Level.ALL:
        return []
    border = border or Border()
    layouts = _Layouts(plan, border)
    for step in plan.live(plan.steps()):
        if not _try_blocked(layouts, step):
            for tensor in dict.fromkeys(step.inputs):
                layouts.read_plain(tensor, step)
            _add_to_plain_conv(plan, step)
    for tensor in sorted((plan.results & (layouts.blocked | layouts.channels_last)) - border.handed_on):
        producer = plan.producer(tensor)
        if producer is not None:
            layouts.read_plain(tensor, producer)
    border.converted.update(tensor for tensor, _ in layouts.reorders)
    return list(layouts.reorders.values())


def _try_blocked(layouts: _Layouts, step: Step) -> bool:
    """Run the step on blocks where that is possible."""
    plan = layouts.plan
    source = step.inputs[0] if step.inputs else -1
    rank, dtype = len(plan.shape(source)), plan.spec(source).dtype if source >= 0 else ""
    if dtype in {"uint8", "int8"} or source in layouts.channels_last:
        return rank in {3, 4} and _try_channels_last(layouts, step)
    if dtype != "float32" or rank != 4:
        return False
    if step.operator == "Conv":
        return _block_conv(layouts, step)
    if step.operator in _POOLS:
        return _block_pool(layouts, step)
    if source not in layouts.blocked and not (step.operator == "Mul" and step.inputs[-1] in layouts.blocked):
        return False
    return _carry(layouts, step, source)


def _try_channels_last(layouts: _Layouts, step: Step) -> bool:
    """Convolutions in 8 bits run with channels last, and what is between them follows."""
    if step.operator == "QLinearConv":
        layouts.read_channels_last(step.inputs[0], step)
    elif not _follows(layouts, step):
        return False
    layouts.channels_last.update(step.outputs)
    return True


def _follows(layouts: _Layouts, step: Step) -> bool:
    """Whether all that the step reads has its channels last, and it pays to leave them there.

    It pays where fewer tensors are written than read, and where a convolution in 8 bits comes later.
    """
    data = _data(layouts.plan, step)
    if step.operator not in _FOLLOWING or not data or not layouts.channels_last.issuperset(data):
        return False
    fewer = len(data) > sum(tensor >= 0 for tensor in step.outputs)
    return fewer or step.operator in _POOLS_IN_8_BITS or not layouts.leading_to_8_bits.isdisjoint(step.outputs)


def _leading_to_convolutions_in_8_bits(plan: FusionPlan) -> set[int]:
    """Tensors that a convolution in 8 bits reads, directly or behind steps that follow its layout.

    The runtime moves a Transpose behind a step only where another one may undo it further on.
    """
    leading: set[int] = set()
    for step in reversed(plan.steps()):
        if step.operator == "QLinearConv":
            leading.add(step.inputs[0])
        elif step.operator in _POOLS_IN_8_BITS or (
            step.operator in _FOLLOWING and not leading.isdisjoint(step.outputs)
        ):
            leading.update(_data(plan, step))
    return leading


def _data(plan: FusionPlan, step: Step) -> list[int]:
    return [tensor for tensor in step.inputs if tensor >= 0 and not plan.is_constant(tensor)]


def _carry(layouts: _Layouts, step: Step, source: int) -> bool:
    """Steps that run on blocks when their input is in blocks already."""
    if step.operator in {"Add", "Sum", "Mul"}:
        return _block_binary(layouts, step)
    if step.operator == "Concat":
        return _block_concat(layouts, step)
    if step.operator in _CARRIED:
        return _block_activation(layouts, step)
    if step.operator == "Transpose" and step.ints("perm") == _TO_CHANNELS_LAST:
        step.operator = "ReorderOutput"
        return True
    if (step.operator == "BatchNormalization" and not is_trained(step)) or _enlarges_evenly(layouts.plan, step):
        layouts.write_blocked(step)
        return True
    return False


def _enlarges_evenly(plan: FusionPlan, step: Step) -> bool:
    """Resizing by whole factors, in the modes that run on blocks."""
    if step.operator not in {"Resize", "Upsample"}:
        return False
    data, out = plan.shape(step.inputs[0]), plan.shape(step.outputs[0])
    if (
        len(out) != 4
        or data[:2] != out[:2]
        or any(after % max(1, before) for before, after in zip(data, out, strict=True))
    ):
        return False
    rule = step.attributes.get("coordinate_transformation_mode", "half_pixel")
    if step.attributes.get("mode", "nearest") == "nearest":
        return rule == "asymmetric" and step.attributes.get("nearest_mode") == "floor"
    return step.attributes.get("mode") == "linear" and rule in {"asymmetric", "align_corners", "half_pixel"}


def _block_conv(layouts: _Layouts, step: Step) -> bool:
    plan = layouts.plan
    weights = plan.shape(step.inputs[1])
    if not plan.is_constant(step.inputs[1]) or len(weights) != 4:
        return False
    if len(step.inputs) > 2 and step.inputs[2] >= 0 and not plan.is_constant(step.inputs[2]):
        return False
    outputs, inputs, groups = weights[0], weights[1], step.integer("group", 1)
    if groups > 1:
        depthwise = inputs == 1 and outputs == groups
        whole = inputs % BLOCK == 0 and (outputs // groups) % BLOCK == 0
        possible = outputs % _ALIGNMENT == 0 and (depthwise or whole)
    else:
        possible = inputs < BLOCK or inputs % _ALIGNMENT == 0
    if not possible:
        return False
    if groups == 1 and inputs < BLOCK:
        layouts.read_plain(step.inputs[0], step)
    else:
        _drop_channels_last(layouts, step)
        layouts.read_blocked(step.inputs[0], step)
    layouts.write_blocked(step)
    return True


def _drop_channels_last(layouts: _Layouts, step: Step) -> None:
    """The conversion into blocks reads channels-last tensors as well: a Transpose before it is not needed."""
    plan = layouts.plan
    source = plan.producer(step.inputs[0])
    if source is None or source.operator != "Transpose" or source.ints("perm") != _FROM_CHANNELS_LAST:
        return
    if plan.sole_reader(source) is step:
        plan.bypass(source, source.inputs[0])


def _block_pool(layouts: _Layouts, step: Step) -> bool:
    channels = layouts.plan.shape(step.inputs[0])[1]
    if channels % BLOCK or sum(tensor >= 0 for tensor in step.outputs) > 1:
        return False
    if step.operator.startswith("Global") and step.inputs[0] not in layouts.blocked:
        return False
    layouts.read_blocked(step.inputs[0], step)
    layouts.write_blocked(step)
    return True


def _block_binary(layouts: _Layouts, step: Step) -> bool:
    plan = layouts.plan
    shapes = {plan.shape(tensor) for tensor in step.inputs}
    if all(tensor in layouts.blocked for tensor in step.inputs) and len(shapes) == 1:
        if step.operator != "Mul" and len(step.inputs) == 2 and _add_to_conv(plan, step, layouts):
            return True
        if step.operator == "Mul" and _hard_swish_of_conv(plan, step, layouts):
            return True
        layouts.write_blocked(step)
        return True
    constant = next((tensor for tensor in step.inputs if plan.is_constant(tensor)), -1)
    data = next((tensor for tensor in step.inputs if tensor in layouts.blocked), -1)
    if step.operator == "Mul" and constant >= 0 and data >= 0 and _per_channel(plan, constant, data):
        step.operator, step.inputs = "BatchNormalization", [data, constant]
        layouts.write_blocked(step)
        return True
    return False


def _per_channel(plan: FusionPlan, constant: int, data: int) -> bool:
    shape, channels = plan.shape(constant), plan.shape(data)[1]
    return len(shape) >= 3 and shape[-1] == shape[-2] == 1 and prod(shape) == channels


def _add_to_conv(plan: FusionPlan, step: Step, layouts: _Layouts) -> bool:
    """Let a convolution that feeds the Add accumulate into the other operand."""
    for tensor in step.inputs:
        producer = plan.producer(tensor)
        if producer is None or not _is_blocked_conv(producer) or producer.activations or producer.residual:
            continue
        if plan.sole_reader(producer) is step:
            producer.residual = True
            layouts.write_blocked(plan.merge([producer, step], main=producer, last=step))
            return True
    return False


def _hard_swish_of_conv(plan: FusionPlan, step: Step, layouts: _Layouts) -> bool:
    """Let a convolution take x · HardSigmoid(x) of its result, where that is HardSwish."""
    for gate in filter(None, map(plan.producer, step.inputs)):
        if gate.operator != "HardSigmoid" or plan.sole_reader(gate) is not step or gate.inputs[0] not in step.inputs:
            continue
        slope, middle = gate.number("alpha", 0.2), gate.number("beta", 0.5)
        conv = plan.producer(gate.inputs[0])
        if conv is None or not _is_blocked_conv(conv) or conv.activations or gate.inputs[0] in plan.results:
            continue
        if isclose(slope, 1 / 6, rel_tol=1e-4) and middle == 0.5 and plan.count_readers(gate.inputs[0]) == 2:
            conv.activations.append("HardSwish")
            layouts.write_blocked(plan.merge([conv, gate, step], main=conv, last=step))
            return True
    return False


def _is_blocked_conv(step: Step) -> bool:
    """Convolutions, and what became one with a window of a single element."""
    return step.blocked and step.operator in {"Conv", "BatchNormalization"}


def _joins_conv(plan: FusionPlan, step: Step) -> bool:
    """Whether the activation can be applied by the convolution before it."""
    producer = plan.producer(step.inputs[0])
    if producer is None or not _is_blocked_conv(producer) or producer.activations:
        return False
    return plan.sole_reader(producer) is step and step.operator in CONV_ACTIVATIONS | {"HardSwish"}


def _block_activation(layouts: _Layouts, step: Step) -> bool:
    plan = layouts.plan
    producer = plan.producer(step.inputs[0])
    if producer is not None and _joins_conv(plan, step):
        producer.activations.append(step.operator)
        step = plan.merge([producer, step], main=producer, last=step)
    layouts.write_blocked(step)
    return True


def _block_concat(layouts: _Layouts, step: Step) -> bool:
    plan = layouts.plan
    aligned = all(tensor in layouts.blocked and plan.shape(tensor)[1] % BLOCK == 0 for tensor in step.inputs)
    if step.integer("axis", 0) not in {1, -3} or not aligned:
        return False
    layouts.write_blocked(step)
    return True


def _add_to_plain_conv(plan: FusionPlan, step: Step) -> None:
    """Outside the blocks, too, a convolution takes the Add after it, and the activation after that."""
    if step.operator != "Add" or len(step.inputs) != 2 or plan.shape(step.inputs[0]) != plan.shape(step.inputs[1]):
        return
    if len(plan.shape(step.inputs[0])) != 4:
        return
    for tensor in step.inputs:
        producer = plan.producer(tensor)
        if producer is None or producer.operator != "Conv" or producer.blocked or producer.activations:
            continue
        if plan.sole_reader(producer) is step and not producer.residual:
            producer.residual = True
            merged = plan.merge([producer, step], main=producer, last=step)
            reader = plan.sole_reader(merged)
            if reader is not None and reader.operator in CONV_ACTIVATIONS:
                merged.activations.append(reader.operator)
                plan.merge([merged, reader], main=merged, last=reader)
            return
