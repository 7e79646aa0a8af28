"""Which nodes a CPU runtime executes as one kernel, at full optimisation.

The rules follow what ONNX Runtime's optimiser documents and does to a graph (constant folding, elimination of
no-operations, common subexpressions, Conv and MatMul with what follows them, decomposed normalisations and
activations); other CPU runtimes do much the same. Written against optimised graphs of version 1.32, which the tests
compare with.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import chain
from math import prod

from predictors.features.kernels.rewrite.int8_fusion import (
    SCALED_OPERATORS,
    drop_positive_clip,
    fuse_blocks,
    fuse_dynamic_product,
    fuse_node_unit,
    name_operands,
)
from predictors.features.kernels.rewrite.matmul_rules import fuse_matmul_add, fuse_matmul_neighbours
from predictors.features.kernels.rewrite.patterns import PATTERNS, Pattern, find_pattern
from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained
from predictors.features.kernels.traits import Level

__all__ = ["CONV_ACTIVATIONS", "fuse"]

CONV_ACTIVATIONS = {"Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "HardSigmoid"}
_GEMM_ACTIVATIONS = CONV_ACTIVATIONS - {"Clip"} | {"Softplus", "Softsign", "Elu", "Selu", "ThresholdedRelu"}
_REMOVED = {"Identity", "Dropout"}
_SHAPING = {"Cast", "Expand", "Slice", "Reshape", "Tile", "Pad"}
_GATHERING = {"Concat", "Sum", "Max", "Min", "Mean"}
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
_NEVER_FOLDED = _RANDOM | {"DequantizeLinear"}
_STATIC = {"Shape", "Size"}
Rule = Callable[[FusionPlan, Step], None]
"""Changes the plan at one step. A rule that remembers what it has met is a class, made anew for each plan."""


def fuse(plan: FusionPlan, level: Level = Level.ALL, *, patterns: bool = True) -> None:
    """Apply the level's rules, but those that depend on the layout of tensors.

    Args:
        plan: changed in place.
        level: how far the runtime goes.
        patterns: whether it finds operators, from level `extended`, that the graph has taken apart.
    """
    operators = {node.operator for node in plan.graph.nodes}
    for needed, present, starts, rule in _RULES:
        if level < needed or (present and operators.isdisjoint(present)) or (rule in _FINDING and not patterns):
            continue
        apply = rule() if isinstance(rule, type) else rule
        for step in plan.live(plan.steps_of(starts) if starts else plan.steps()):
            apply(plan, step)


def _fold_constants(plan: FusionPlan, step: Step) -> None:
    """Known when the model is loaded: all inputs are constants, or only their static shape matters."""
    first = step.inputs[0] if step.inputs else -1
    if first >= 0 and first not in plan.constant and step.operator not in _STATIC:
        return
    if step.operator in _NEVER_FOLDED or plan.graph.nodes[step.main].bodies:
        return
    inputs = [tensor for tensor in step.inputs if tensor >= 0]
    static = step.operator in _STATIC and all(plan.spec(tensor).shape is not None for tensor in inputs)
    if static or all(plan.is_constant(tensor) for tensor in inputs):
        plan.fold(step)


def _drop_no_operations(plan: FusionPlan, step: Step) -> None:
    source, result = step.inputs[0] if step.inputs else -1, step.outputs[0]
    if source < 0 or any(plan.count_readers(tensor) for tensor in step.outputs[1:] if tensor >= 0):
        return
    if step.operator == "Identity" and source in plan.graph.inputs and result in plan.graph.outputs:
        return  # both names are somebody else's
    if step.operator == "Dropout" and is_trained(step) and result in plan.results:
        return  # one that others read is dropped all the same
    before, after = plan.spec(source), plan.spec(result)
    same = before.shape is not None and before.shape == after.shape and before.dtype == after.dtype
    identical = same and step.operator in _SHAPING
    single = step.operator in _GATHERING and len(step.inputs) == 1
    if step.operator in _REMOVED or identical or single:
        plan.bypass(step, source)


class _DropRepetitions:
    """Two steps that compute the same from the same are computed once: the first one."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Step] = {}

    def __call__(self, plan: FusionPlan, step: Step) -> None:
        if step.operator in _NEVER_FOLDED or all(tensor < 0 for tensor in step.inputs):
            return
        key = (step.operator, tuple(step.inputs), len(step.outputs), frozenset(step.attributes.items()))
        first = self._first.setdefault(key, step)
        if first is not step and not plan.graph.nodes[step.main].bodies:
            plan.unify(step, first)


class _JoinSlices:
    """Slices of one tensor that share one of its axes out among them are a Split."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], list[Step]] = {}
        self._cut_again: dict[tuple[int, int], Iterator[Step]] = {}
        """Readers of the parts, from the first one that was a Slice when it was last looked for."""

    def __call__(self, plan: FusionPlan, step: Step) -> None:
        source = step.inputs[0]
        whole = plan.shape(source)
        axis = _cut_axis(plan, step, whole)
        if plan.graph.opset < 13 or axis < 0:
            return
        key = source, axis
        if key not in self._parts:
            self._parts[key] = [other for other in plan.readers(source) if _cut_axis(plan, other, whole) == axis]
        parts = self._parts[key]
        if len(parts) < 2 or self._are_cut_again(plan, key):
            return  # every second row, then column: pixels become channels
        if sum(plan.shape(part.outputs[0])[axis] for part in parts) == whole[axis]:
            plan.join(parts, "Split", source)
        self._parts[key] = []

    def _are_cut_again(self, plan: FusionPlan, key: tuple[int, int]) -> bool:
        """Whether a Slice reads one of the parts; no step becomes one, so what was none is not looked at again."""
        if key not in self._cut_again:
            parts = self._parts[key]
            self._cut_again[key] = iter([reader for part in parts for reader in plan.readers(part.outputs[0])])
        for reader in self._cut_again[key]:
            if reader.alive and reader.operator == "Slice":
                self._cut_again[key] = chain([reader], self._cut_again[key])
                return True
        return False


class _JoinGathers:
    """Gathers that each take one place of an axis, as many as it has, are a Split: they are taken to differ."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], list[Step]] = {}

    def __call__(self, plan: FusionPlan, step: Step) -> None:
        axis = _taken_axis(plan, step)
        if axis < 0 or plan.graph.opset < 13:
            return
        key = source, _ = step.inputs[0], axis
        if key not in self._parts:
            self._parts[key] = [other for other in plan.readers(source) if _taken_axis(plan, other) == axis]
        parts = self._parts[key]
        if len(parts) > 1 and len(parts) == plan.shape(source)[axis]:
            plan.join(parts, "Split", source)


def _taken_axis(plan: FusionPlan, step: Step) -> int:
    """The axis of which a Gather takes one constant place; -1 where it takes more, or is no Gather."""
    if step.operator != "Gather" or not plan.is_constant(step.inputs[1]) or plan.spec(step.inputs[1]).elements != 1:
        return -1
    rank = len(plan.shape(step.inputs[0]))
    return step.integer("axis", 0) % rank if rank else -1


def _cut_axis(plan: FusionPlan, step: Step, whole: tuple[int, ...]) -> int:
    """The one axis that a Slice shortens; -1 where there is no such."""
    part = plan.shape(step.outputs[0])
    if step.operator != "Slice" or len(part) != len(whole):
        return -1
    shorter = [axis for axis, (before, after) in enumerate(zip(whole, part, strict=True)) if after < before]
    return shorter[0] if len(shorter) == 1 else -1


def _join_reshapes(plan: FusionPlan, step: Step) -> None:
    if step.operator != "Reshape":
        return
    reader = plan.sole_reader(step)
    if reader is not None and reader.operator == "Reshape" and reader.inputs[0] == step.outputs[0]:
        plan.merge([step, reader], main=step, last=reader)


def _cancel_transposes(plan: FusionPlan, step: Step) -> None:
    """A Transpose undone by another, with at most element-wise work between, costs nothing."""
    if step.operator != "Transpose":
        return
    middle = plan.sole_reader(step)
    through = middle if middle is not None and middle.operator in _UNARY else None
    second = plan.sole_reader(through) if through else middle
    if second is None or second.operator != "Transpose":
        return
    if _is_inverse(step.ints("perm"), second.ints("perm")):
        plan.bypass(second, second.inputs[0])
        plan.bypass(step, step.inputs[0])


_UNARY = {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "Erf", "Exp", "Sqrt", "Neg", "Abs", "Elu", "Cast"}


def _pattern_rule(name: str, pattern: Pattern) -> Rule:
    def fuse_pattern(plan: FusionPlan, step: Step) -> None:
        possible = step.operator == pattern[0] and step.main not in plan.apart
        match = find_pattern(plan, step, pattern) if possible else None
        early = plan.graph.opset >= _STANDARD_SINCE.get(name, 99)
        late = name == "LayerNormalization" and not early
        if match is not None and not (late and _transposes_interfere(plan, step, *match)):
            steps, source = match
            merged = plan.merge(steps, main=step, last=step, operator=name)
            merged.inputs.sort(key=lambda tensor: tensor != source)

    return fuse_pattern


def _transposes_interfere(plan: FusionPlan, last: Step, steps: list[Step], source: int) -> bool:
    """A spelled-out normalisation behind a Transpose: that is pushed into it, before the normalisation is looked for.

    Where another Transpose undoes it behind the normalisation, both vanish and nothing is fused; else it stands behind
    the subtraction of the mean, and the rest is found as a root-mean-square normalisation.
    """
    before, after = plan.producer(source), plan.sole_reader(last)
    if before is None or not _is_transposed(plan, before):
        return False
    undone = after is not None and before.operator == after.operator == "Transpose"
    if undone and after is not None and _is_inverse(before.ints("perm"), after.ints("perm")):
        plan.bypass(after, last.outputs[0])
        plan.bypass(before, before.inputs[0])
        plan.apart.update(step.main for step in steps)
    else:
        undone = False
    for step in steps:
        step.channels_first = undone or source in step.inputs
    return True


def _is_transposed(plan: FusionPlan, step: Step) -> bool:
    """A Transpose, or the Add of two of them, through which the runtime pushes them."""
    if step.operator != "Add":
        return step.operator == "Transpose"
    producers = [plan.producer(tensor) for tensor in step.inputs]
    return all(producer is not None and producer.operator == "Transpose" for producer in producers)


def _is_inverse(first: tuple[int, ...], then: tuple[int, ...]) -> bool:
    return len(first) == len(then) and all(first[axis] == place for place, axis in enumerate(then))


def _fuse_pad(plan: FusionPlan, step: Step) -> None:
    """Zero padding in front of a convolution or a pooling goes into its own padding."""
    reader = plan.sole_reader(step) if step.operator == "Pad" else None
    if reader is None or reader.operator not in {"Conv", "MaxPool", "AveragePool"}:
        return
    if step.attributes.get("mode", "constant") == "constant" and reader.inputs[0] == step.outputs[0]:
        source = step.inputs[0]
        merged = plan.merge([step, reader], main=reader, last=reader)
        merged.inputs.sort(key=lambda tensor: tensor != source)


def _fuse_affine_into_conv(plan: FusionPlan, step: Step) -> None:
    """BatchNormalization, and Mul and Add of a constant per channel, change a convolution's weights."""
    while step.operator in {"Conv", "ConvTranspose"} and plan.is_constant(step.inputs[1]):
        reader = plan.sole_reader(step)
        if reader is None or not _is_channel_affine(plan, reader, step.outputs[0]):
            return
        if step.operator == "ConvTranspose" and reader.operator != "BatchNormalization":
            return
        step = plan.merge([step, reader], main=step, last=reader)


def _is_channel_affine(plan: FusionPlan, step: Step, source: int) -> bool:
    if step.operator == "BatchNormalization":
        known = all(plan.is_constant(tensor) for tensor in step.inputs[1:])
        return step.inputs[0] == source and known and not is_trained(step)
    if step.operator not in {"Mul", "Add"} or len(step.inputs) != 2:
        return False
    other = step.inputs[1] if step.inputs[0] == source else step.inputs[0]
    shape, channels = plan.shape(other), plan.shape(source)[1:2]
    aligned = len(shape) >= len(plan.shape(source)) - 1 and prod(shape) in {1, *channels}
    return plan.is_constant(other) and (not shape or aligned)


def _fuse_activation(plan: FusionPlan, step: Step) -> None:
    allowed = {"Conv": CONV_ACTIVATIONS, "Gemm": _GEMM_ACTIVATIONS}.get(step.operator, set())
    reader = plan.sole_reader(step) if allowed and not step.activations else None
    three_dimensional = step.operator == "Gemm" and len(plan.shape(step.outputs[0])) != 2
    if reader is None or reader.operator not in allowed or three_dimensional:
        return
    if all(plan.is_constant(tensor) for tensor in reader.inputs[1:] if tensor >= 0):
        step.activations.append(reader.operator)
        plan.merge([step, reader], main=step, last=reader)


def _fuse_relu_clip(plan: FusionPlan, step: Step) -> None:
    reader = plan.sole_reader(step) if step.operator == "Relu" else None
    if reader is not None and reader.operator in {"Clip", "Relu"}:
        plan.merge([step, reader], main=reader, last=reader)


def _fuse_skip_normalisation(plan: FusionPlan, step: Step) -> None:
    """An Add that only a layer normalisation over the last axis reads is done by that normalisation."""
    kinds = {"LayerNormalization", "SimplifiedLayerNormalization"}
    reader = plan.sole_reader(step) if step.operator == "Add" else None
    if reader is None or reader.operator not in kinds or reader.inputs[0] != step.outputs[0]:
        return
    if len(plan.shape(step.outputs[0])) == 3 and len(step.inputs) == 2:
        tensors = list(step.inputs)
        merged = plan.merge([step, reader], main=reader, last=reader, operator=f"Skip{reader.operator}")
        merged.inputs.sort(key=lambda tensor: tensor not in tensors)
        for tensor in tensors:
            before = plan.producer(tensor)
            if before is not None and _adds_bias(plan, before) and plan.sole_reader(before) is merged:
                plan.merge([before, merged], main=merged, last=merged)
                return


def _adds_bias(plan: FusionPlan, step: Step) -> bool:
    """An Add of a constant vector."""
    if step.operator != "Add" or len(step.inputs) != 2:
        return False
    return sum(plan.is_constant(tensor) and len(plan.shape(tensor)) == 1 for tensor in step.inputs) == 1


def _fuse_bias_gelu(plan: FusionPlan, step: Step) -> None:
    """An Add of a constant vector that only a GELU reads."""
    reader = plan.sole_reader(step) if _adds_bias(plan, step) else None
    if reader is not None and reader.operator == "Gelu":
        plan.merge([step, reader], main=reader, last=reader, operator="BiasGelu")


_KEYS: Mapping[str, set[Pattern]] = {
    "LayerNormalization": {"ReduceMean"},
    "SimplifiedLayerNormalization": {"ReduceMean"},
    "Gelu": {"Erf"},
    "FastGelu": {"Tanh"},
    "QuickGelu": {"Sigmoid"},
}
"""Operators that every form of a pattern has."""
_STANDARD_SINCE = {"LayerNormalization": 17, "Gelu": 20}
"""Opsets from which the fused operator is one of ONNX itself, so that it is found at level `basic` already."""


def _standard_pattern_rule(name: str, pattern: Pattern) -> Rule:
    rule, since = _pattern_rule(name, pattern), _STANDARD_SINCE[name]

    def fuse_standard(plan: FusionPlan, step: Step) -> None:
        if plan.graph.opset >= since:
            rule(plan, step)

    return fuse_standard


_FOUND: tuple[tuple[Level, set[Pattern], set[Pattern], Rule], ...] = tuple(
    (Level.EXTENDED, _KEYS[name], {pattern[0]}, _pattern_rule(name, pattern)) for name, pattern in PATTERNS
)
_FINDING = {
    *(rule for (name, _), (*_, rule) in zip(PATTERNS, _FOUND, strict=True) if name != "QuickGelu"),
    _fuse_skip_normalisation,
    _fuse_bias_gelu,
}
"""Rules that find operators which the graph has taken apart; ONNX Runtime does not look for these among halves."""
_ANY: set[Pattern] = set()
_Remembering = type[_DropRepetitions] | type[_JoinSlices] | type[_JoinGathers]
_PACKING: set[Pattern] = {"QuantizeLinear", "DequantizeLinear"}
_RULES: tuple[tuple[Level, set[Pattern], set[Pattern], Rule | _Remembering], ...] = (
    (Level.DISABLED, _ANY, set(SCALED_OPERATORS), name_operands),
    (Level.BASIC, _ANY, _ANY, _fold_constants),
    (Level.BASIC, _ANY, {*_REMOVED, *_SHAPING, *_GATHERING}, _drop_no_operations),
    (Level.BASIC, _ANY, _ANY, _DropRepetitions),
    (Level.EXTENDED, _ANY, {"Slice"}, _JoinSlices),
    (Level.EXTENDED, _ANY, {"Gather"}, _JoinGathers),
    (Level.BASIC, _ANY, {"Reshape"}, _join_reshapes),
    (Level.BASIC, _ANY, {"Pad"}, _fuse_pad),
    (Level.BASIC, _ANY, {"Relu"}, _fuse_relu_clip),
    (Level.EXTENDED, _PACKING, {"Relu", "Clip"}, drop_positive_clip),
    (Level.EXTENDED, _PACKING, _ANY, fuse_node_unit),
    (Level.EXTENDED, _ANY, {"MatMulInteger"}, fuse_dynamic_product),
    (Level.BASIC, _ANY, {"Conv", "ConvTranspose"}, _fuse_affine_into_conv),
    (Level.BASIC, _ANY, {"MatMul"}, fuse_matmul_add),
    (Level.EXTENDED, {"DequantizeLinear"}, {"MatMul"}, fuse_blocks),
    *(
        (Level.BASIC, _KEYS[name], {pattern[0]}, _standard_pattern_rule(name, pattern))
        for name, pattern in PATTERNS
        if name in _STANDARD_SINCE
    ),
    *_FOUND,
    (Level.BASIC, _ANY, {"Transpose"}, _cancel_transposes),
    (Level.EXTENDED, _ANY, {"Conv", "Gemm"}, _fuse_activation),
    (Level.EXTENDED, _ANY, {"MatMul"}, fuse_matmul_neighbours),
    (
        Level.EXTENDED,
        {"LayerNormalization", "ReduceMean", "SimplifiedLayerNormalization"},
        {"Add"},
        _fuse_skip_normalisation,
    ),
    (Level.EXTENDED, {"Erf", "Gelu"}, {"Add"}, _fuse_bias_gelu),
)
"""Rules in order: (least level, operators of which the graph has one, operators of the steps; all where empty)."""
