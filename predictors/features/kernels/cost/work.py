"""What a kernel has to do: its class, its work, and the shapes that decide how well it does it.

Everything follows from operators, attributes and shapes; nothing from a runtime's profile. Dimensions are given in the
terms of a matrix product wherever there is one: `rows` × `depth` times `depth` × `columns`, `groups` times.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf, prod

from predictors.features.kernels.cost.classes import ELEMENT_COST, kernel_class
from predictors.features.kernels.cost.passes import (
    describe_activation,
    describe_axis,
    describe_broadcast,
    describe_copy,
    describe_elementwise,
    describe_int8_pass,
    describe_lrn,
    describe_other,
    describe_pool,
    describe_reduce,
    describe_resize,
    describe_transpose,
)
from predictors.features.kernels.cost.products import (
    describe_conv,
    describe_conv_transpose,
    describe_einsum,
    describe_few_bits,
    describe_int8_product,
    describe_matmul,
    describe_rnn,
)
from predictors.features.kernels.cost.reuse import NO_READS, TRACKED_BYTES, Parameter, Reads
from predictors.features.kernels.cost.shapes import (
    SHAPE_FEATURES,
    Shape,
    Work,
    count_elements,
    padded_elements,
    whole_blocks,
)
from predictors.features.kernels.cost.special import (
    describe_attention,
    describe_control,
    describe_sample,
    describe_scatter,
    describe_search,
    describe_signal,
    describe_sort,
    describe_trees,
    tree_bytes,
)
from predictors.features.kernels.rewrite.int8_fusion import IN_4_BITS
from predictors.features.kernels.rewrite.layout import BLOCK, Reorder
from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained
from predictors.features.number_types import is_rare

__all__ = ["CALL", "Kernel", "describe_reorder", "describe_step"]


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
        reads: what it reads of parameters, and within which loop.
        undecided: how much it computes depends on values, as of boxes or of a loop's condition, not on shapes alone.
        unsigned: it is a product in 8 bits whose constant weights are uint8, for which CPUs have slower instructions.
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
    reads: Reads = NO_READS
    undecided: bool = False
    unsigned: bool = False


_READ_WHAT_THEY_WRITE = {"gather", "gather_elements", "slice"}
"""Classes that read a part of their input only: an embedding's table is not read as a whole."""
_EITHER_SIGN = {
    "QLinearConv", "QLinearMatMul", "QGemm", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
}  # fmt: skip
"""Products in 8 bits that training has with signed weights alone; ConvInteger has unsigned ones there."""
_DECIDED_BY_VALUES = {"NonMaxSuppression"}
"""Operators that take a thousand times as long for some values as for others of the same shapes."""
_LOOKUPS = {"EmbedLayerNormalization", "QEmbedLayerNormalization"}
"""Operators of other classes that read some rows of their tables."""

_TOLERANT = {"control", "search"}
"""Classes whose work follows from their inputs, however many results they have."""

CALL = Kernel(
    kind="call",
    operator="Call",
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
"""What a runtime does once for each run, whatever the graph: it takes feeds and gives results."""


_described: dict[Hashable, Callable[..., Kernel]] = {}
"""Kernels but for their places, for networks repeat their steps; all are forgotten when there are too many."""
_MOST_DESCRIBED = 20_000
_MOST_ATTRIBUTES, _MOST_TENSORS = 64, 64
"""Kernels with more are described anew each time: a cached description would take more memory than it saves time."""
_EMPTY = dict.fromkeys(SHAPE_FEATURES, 0.0)


def describe_step(plan: FusionPlan, step: Step, keys: Callable[[int], Hashable] | None = None) -> Kernel:
    """The kernel that a step becomes.

    Args:
        plan: with the step.
        step: any that is alive.
        keys: a tensor → what tells a parameter from others, in whichever graph it is read; None where nobody asks.
    """
    key = _signature(plan, step)
    make = _described.get(key) if key is not None else None
    if make is None:
        make = _describe(plan, step)
        if key is not None:
            if len(_described) >= _MOST_DESCRIBED:
                _described.clear()
            _described[key] = make
    kernel = make(nodes=tuple(step.nodes), anchor=step.position)
    return kernel if keys is None else replace(kernel, reads=_reads(plan, step, kernel, keys))


def _reads(plan: FusionPlan, step: Step, kernel: Kernel, keys: Callable[[int], Hashable]) -> Reads:
    """What a kernel reads of parameters; those of products are told from others, masks that all layers add are not."""
    left, parameters = kernel.parameter_bytes, []
    for tensor in dict.fromkeys(step.inputs) if kernel.macs else ():
        if tensor >= 0 and tensor in plan.constant and plan.spec(tensor).size_bytes >= TRACKED_BYTES and left > 0:
            size = min(float(plan.spec(tensor).size_bytes), left)
            parameters.append(Parameter(keys(tensor), size))
            left -= size
    return Reads(tuple(parameters), left)


def _signature(plan: FusionPlan, step: Step) -> Hashable | None:
    """Everything that a description reads of the plan; None for a choice, which looks at its condition, and bodies."""
    node, tensors, constant = plan.graph.nodes[step.main], plan.graph.tensors, plan.constant
    if step.operator == "Where" or node.bodies or len(node.attributes) > _MOST_ATTRIBUTES:
        return None
    if len(step.inputs) + len(step.outputs) + len(step.activations) > _MOST_TENSORS:
        return None
    reads = [None if at < 0 else (tensors[at].dtype, tensors[at].shape, at in constant) for at in step.inputs]
    writes = [None if at < 0 else (tensors[at].dtype, tensors[at].shape) for at in step.outputs]
    repeated = tuple(map(step.inputs.index, step.inputs)) if len(set(step.inputs)) < len(step.inputs) else ()
    flags = (step.residual, step.blocked, step.channels_first, plan.graph.opset < 13)
    return (
        step.operator, tuple(step.attributes.items()), tuple(reads), tuple(writes), repeated, tuple(step.activations),
        flags, node.operator, node.macs, node.flops,
    )  # fmt: skip


def _describe(plan: FusionPlan, step: Step) -> Callable[..., Kernel]:
    """The kernel, given the nodes that it covers and its anchor."""
    kind = kernel_class(plan, step)
    shape = _common(plan, step)
    macs, operations = _DESCRIBE.get(kind, describe_other)(plan, step, shape)
    specs = plan.graph.tensors
    outputs = [specs[tensor] for tensor in step.outputs if tensor >= 0]
    read = {tensor: specs[tensor] for tensor in step.inputs if tensor >= 0}
    written = sum([spec.size_bytes for spec in outputs])
    rows_only = kind in _READ_WHAT_THEY_WRITE or step.operator in _LOOKUPS
    most = written if rows_only else inf
    sizes = {tensor: min(spec.size_bytes, most) for tensor, spec in read.items()}
    parameters = sum([size for tensor, size in sizes.items() if tensor in plan.constant])
    ends = [specs[tensor] for tensor in (*step.inputs[:1], *step.outputs[:1]) if tensor >= 0]
    return partial(
        Kernel,
        kind=kind,
        operator=step.operator,
        macs=float(macs),
        operations=float(operations) + padded_elements(plan, step) * shape["activation"],
        input_bytes=float(sum(sizes.values()) - parameters),
        output_bytes=float(written),
        parameter_bytes=float(parameters + (tree_bytes(step) if kind == "trees" else 0)),
        elements=count_elements(plan, step),
        shape=shape,
        undecided=step.operator in _DECIDED_BY_VALUES,
        unsigned=_has_unsigned_weights(plan, step),
        known=kind != "other"
        and not _is_doubtful(plan, step)
        and (kind in _TOLERANT or all(spec.shape is not None for spec in ends)),
    )


def _has_unsigned_weights(plan: FusionPlan, step: Step) -> bool:
    if step.operator not in _EITHER_SIGN or len(step.inputs) < 2 or not plan.is_constant(step.inputs[1]):
        return False
    return plan.spec(step.inputs[1]).dtype == "uint8"


def _is_doubtful(plan: FusionPlan, step: Step) -> bool:
    """Whether training has the operator, but not as it runs here: in training mode, unpacking 4 bits by itself, or
    computing in numbers of a rare type.
    """
    dtype = plan.spec(step.inputs[0]).dtype if step.inputs and step.inputs[0] >= 0 else ""
    unpacks = step.operator == "DequantizeLinear" and dtype in IN_4_BITS
    return unpacks or is_trained(step) or (is_rare(dtype) and step.operator != "Cast")


def describe_reorder(plan: FusionPlan, reorder: Reorder) -> Kernel:
    """The kernel of a change of layout."""
    if not reorder.blocks:
        return _describe_transposition(plan, reorder)
    spec = plan.spec(reorder.tensor)
    shape = dict.fromkeys(SHAPE_FEATURES, 0.0)
    dims = spec.shape or (1, 1)
    shape.update(batch=dims[0], channels_in=dims[1], channels_out=dims[1], run=prod(dims[2:]), rank=len(dims), reads=1)
    shape.update(writes=1, blocked=1, variant=float(reorder.special), width=dims[-1])
    shape["parts"] = dims[0] * -(-dims[1] // BLOCK)
    return Kernel(
        kind="reorder",
        operator="ReorderInput" if reorder.special else "ReorderOutput",
        nodes=(),
        anchor=reorder.step.position,
        macs=0.0,
        operations=float(dims[0] * whole_blocks(dims[1]) * prod(dims[2:])),
        input_bytes=float(spec.size_bytes),
        output_bytes=float(spec.size_bytes),
        parameter_bytes=0.0,
        elements=float(spec.elements),
        shape=shape,
    )


def _describe_transposition(plan: FusionPlan, reorder: Reorder) -> Kernel:
    """Channels to the last axis, or back."""
    spec = plan.spec(reorder.tensor)
    dims = spec.shape or (1, 1)
    shape = dict.fromkeys(SHAPE_FEATURES, 0.0)
    pixels = prod(dims[2:])
    first, last = (pixels, dims[1]) if reorder.special else (dims[1], pixels)
    shape.update(batch=dims[0], rank=3 if dims[0] > 1 else 2, run=1, rows=dims[0] if dims[0] > 1 else first)
    shape.update(columns=last, axis=first, reads=1, writes=1, parts=prod(dims), width=last)
    return Kernel(
        kind="transpose",
        operator="Transpose",
        nodes=(),
        anchor=reorder.step.position,
        macs=0.0,
        operations=float(prod(dims)),
        input_bytes=float(spec.size_bytes),
        output_bytes=float(spec.size_bytes),
        parameter_bytes=0.0,
        elements=float(spec.elements),
        shape=shape,
    )


def _common(plan: FusionPlan, step: Step) -> dict[str, float]:
    """Features that every kernel has."""
    out, constant = plan.shape(step.outputs[0]) if step.outputs else (), plan.constant
    return _EMPTY | {
        "batch": out[0] if out else 1,
        "rank": len(out),
        "run": out[-1] if out else 1,
        "width": out[-1] if len(out) > 2 else 1,
        "reads": len([tensor for tensor in step.inputs if tensor >= 0 and tensor not in constant]),
        "writes": len([tensor for tensor in step.outputs if tensor >= 0]),
        "blocked": float(step.blocked),
        "residual": float(step.residual),
        "activation": sum([ELEMENT_COST.get(name, 5.0) for name in step.activations]),
        "element_cost": ELEMENT_COST.get(step.operator, 0.0),
    }


_DESCRIBE: Mapping[str, Callable[[FusionPlan, Step, Shape], Work]] = {
    **dict.fromkeys(("conv", "conv_pointwise", "conv_depthwise"), describe_conv),
    **dict.fromkeys(("conv_grouped", "conv_direct", "conv_plain", "conv_plain_grouped"), describe_conv),
    "conv_plain_depthwise": describe_conv,
    **dict.fromkeys(("gemm", "gemv", "matmul"), describe_matmul),
    "elementwise": describe_elementwise, "activation": describe_activation,
    **dict.fromkeys(("pool", "pool_plain", "global_pool"), describe_pool),
    **dict.fromkeys(("norm", "softmax"), describe_axis),
    **dict.fromkeys(("concat", "split", "slice", "gather", "copy", "pad"), describe_copy),
    "scatter": describe_scatter, "conv_transpose": describe_conv_transpose, "rnn": describe_rnn,
    "einsum": describe_einsum, "broadcast": describe_broadcast, "reduce": describe_reduce,
    "transpose": describe_transpose,
    "resize": describe_resize, "lrn": describe_lrn, "int8_pass": describe_int8_pass,
    **dict.fromkeys(("int8_conv", "int8_conv_pointwise", "int8_conv_depthwise"), describe_conv),
    **dict.fromkeys(("int8_gemm", "int8_matmul"), describe_int8_product),
    "int8_rnn": describe_rnn, "quantise": describe_elementwise, "few_bits": describe_few_bits,
    "attention": describe_attention, "trees": describe_trees, "search": describe_search, "sample": describe_sample,
    "signal": describe_signal, "gather_elements": describe_copy, "sort": describe_sort, "control": describe_control,
}  # fmt: skip
