"""Which nodes of a quantised graph run as one kernel in 8 bits.

Rules of ONNX Runtime's optimiser from level `extended` on: an operator between DequantizeLinear and QuantizeLinear runs
in 8 bits (QDQ form), and DynamicQuantizeLinear, MatMulInteger, Cast, Mul and Add become one product. Constants that
DequantizeLinear reads are never unpacked when the model is loaded.
"""

from collections.abc import Mapping
from itertools import accumulate

from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = [
    "IN_4_BITS",
    "SCALED_OPERATORS",
    "drop_positive_clip",
    "fuse_blocks",
    "fuse_dynamic_product",
    "fuse_node_unit",
    "name_operands",
]

_IN_8_BITS: Mapping[str, str] = {
    "Conv": "QLinearConv", "MatMul": "QLinearMatMul", "Gemm": "QGemm", "Add": "QLinearAdd", "Mul": "QLinearMul",
    "Concat": "QLinearConcat", "Sigmoid": "QLinearSigmoid", "LeakyRelu": "QLinearLeakyRelu",
    "Softmax": "QLinearSoftmax", "AveragePool": "QLinearAveragePool", "ReduceMean": "QLinearReduceMean",
    "GlobalAveragePool": "QLinearGlobalAveragePool", "Where": "QLinearWhere",
}  # fmt: skip
_WITHOUT_RESULT = {"MatMul": "MatMulIntegerToFloat", "Gemm": "QGemm"}
"""Operators that take 8 bits and give floats."""
_MOVERS = {
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Gather", "MaxPool", "Resize", "Slice",
    "Expand", "Tile", "Pad", "ArgMax", "DepthToSpace",
}  # fmt: skip
"""Operators that do the same to 8 bits: only their first input has to be quantised."""
_OPERANDS: Mapping[str, tuple[int, ...]] = {
    "QLinearConv": (0, 3, 8), "QLinearMatMul": (0, 3), "QGemm": (0, 3, 6), "QLinearAdd": (0, 3), "QLinearMul": (0, 3),
    "ConvInteger": (0, 1), "MatMulInteger": (0, 1), "DynamicQuantizeMatMul": (0, 1, 4),
    "MatMulIntegerToFloat": (0, 1, 6),
    "QLinearSigmoid": (0,), "QLinearLeakyRelu": (0,), "QLinearSoftmax": (0,), "QLinearAveragePool": (0,),
    "QLinearGlobalAveragePool": (0,), "QLinearReduceMean": (0,), "DynamicQuantizeLSTM": (0, 1, 2, 3),
}  # fmt: skip
"""Positions of tensors among scales and zero points."""
IN_4_BITS = {"int4", "uint4"}
_SMALLEST_BLOCK = 16
SCALED_OPERATORS = frozenset(_OPERANDS) | {"QLinearConcat"}
"""Operators that have scales and zero points among their inputs."""


def name_operands(plan: FusionPlan, step: Step) -> None:
    """Leave scales and zero points out of the inputs: data, weights and bias come first, as in the float operator."""
    places = _OPERANDS.get(step.operator)
    if step.operator == "QLinearConcat":
        places = tuple(range(2, len(step.inputs), 3))
    if places is not None:
        plan.replace(step, step.operator, [step.inputs[at] for at in places if at < len(step.inputs)])


def drop_positive_clip(plan: FusionPlan, step: Step) -> None:
    """Quantising saturates at zero by itself."""
    if step.operator in {"Relu", "Clip"}:
        reader = plan.sole_reader(step)
        if reader is not None and reader.operator == "QuantizeLinear" and plan.producer(step.inputs[0]) is not None:
            plan.bypass(step, step.inputs[0])


def fuse_node_unit(plan: FusionPlan, step: Step) -> None:
    """An operator between DequantizeLinear and QuantizeLinear."""
    if step.operator == "Split":
        _split_in_8_bits(plan, step)
        return
    moves = step.operator in _MOVERS
    if (not moves and step.operator not in _IN_8_BITS) or step.attributes.get("bias_scale_differs"):
        return
    data = [step.inputs[0]] if moves else [tensor for tensor in step.inputs if tensor >= 0]
    origins = [_packed(plan, tensor) for tensor in data]
    if not origins or any(origin is None for origin in origins):
        return
    reader = plan.sole_reader(step)
    quantises = reader is not None and reader.operator == "QuantizeLinear"
    results = [reader.outputs[0]] if quantises and reader is not None else []
    if any(_stays_signed(plan, tensor) for tensor in (*results, *(o.inputs[0] for o in origins if o is not None))):
        return
    operator = step.operator if moves else _IN_8_BITS[step.operator]
    if not quantises:
        if step.operator not in _WITHOUT_RESULT:
            return
        operator = _WITHOUT_RESULT[step.operator]
    rest = step.inputs[1:] if moves else []
    if quantises and reader is not None:
        step = plan.merge([step, reader], main=step, last=reader)
    plan.replace(step, operator, [origin.inputs[0] for origin in origins if origin is not None] + rest)
    for origin in origins:
        if origin is not None:
            plan.discard_unread(origin)


def fuse_blocks(plan: FusionPlan, step: Step) -> None:
    """A product with constant weights of 4 bits that DequantizeLinear unpacks block by block; a Gemm unpacks them."""
    origin = _packed(plan, step.inputs[1]) if step.operator == "MatMul" else None
    if origin is None or plan.sole_reader(origin) is not step or not plan.is_constant(origin.inputs[0]):
        return
    weights, block = plan.spec(origin.inputs[0]), origin.integer("block_size", 0)
    whole = len(weights.shape or ()) == 2 and origin.integer("axis", 1) == 0
    if weights.dtype not in IN_4_BITS or not whole or block < _SMALLEST_BLOCK or block & (block - 1):
        return
    depth, columns = plan.shape(origin.inputs[0])
    data, operands = step.inputs[0], list(origin.inputs)
    merged = plan.merge([origin, step], main=step, last=step)
    merged.attributes = {"K": depth, "N": columns, "bits": 4, "block_size": block, "accuracy_level": 4}
    plan.replace(merged, "MatMulNBits", [data, *operands])


def _split_in_8_bits(plan: FusionPlan, step: Step) -> None:
    """A Split between a DequantizeLinear and as many QuantizeLinear as it has parts."""
    origin = _packed(plan, step.inputs[0])
    if origin is None or any(plan.count_readers(tensor) != 1 for tensor in step.outputs):
        return
    readers = [reader for tensor in step.outputs for reader in plan.readers(tensor)]
    if any(reader.operator != "QuantizeLinear" for reader in readers):
        return
    outputs = [reader.outputs[0] for reader in readers]
    if plan.results.intersection(step.outputs) or any(_stays_signed(plan, tensor) for tensor in outputs):
        return
    merged = plan.merge([step, *readers], main=step, last=step)
    plan.replace(merged, "Split", [origin.inputs[0], *step.inputs[1:2]], outputs)
    plan.discard_unread(origin)


def _packed(plan: FusionPlan, tensor: int) -> Step | None:
    """The DequantizeLinear that the tensor comes from."""
    step = plan.producer(tensor)
    return step if step is not None and step.operator == "DequantizeLinear" else None


def _stays_signed(plan: FusionPlan, tensor: int) -> bool:
    """Whether a value of int8 remains that: with one reader the runtime makes it uint8, which its x86 kernels want."""
    if plan.spec(tensor).dtype != "int8" or plan.is_constant(tensor):
        return False
    unpacked = (reader for reader in plan.readers(tensor) if reader.operator == "DequantizeLinear")
    total = accumulate(plan.count_readers(reader.outputs[0]) for reader in unpacked)
    return any(readers > 1 for readers in total)


def fuse_dynamic_product(plan: FusionPlan, step: Step) -> None:
    """MatMulInteger with Cast, scale and bias; with the quantisation too, where no other step reads its result."""
    cast = plan.sole_reader(step) if step.operator == "MatMulInteger" else None
    scaled = plan.sole_reader(cast) if cast is not None and cast.operator == "Cast" else None
    if cast is None or scaled is None or scaled.operator != "Mul":
        return
    scale = next((plan.producer(tensor) for tensor in scaled.inputs if tensor not in cast.outputs), None)
    if scale is None or scale.operator != "Mul" or plan.sole_reader(scale) is not scaled:
        return
    parts, last = [step, cast, scaled, scale], scaled
    bias = plan.sole_reader(scaled)
    if bias is not None and bias.operator == "Add" and any(_is_vector(plan, tensor) for tensor in bias.inputs):
        parts, last = [*parts, bias], bias
    operands = [*step.inputs, *(tensor for tensor in bias.inputs if bias in parts and _is_vector(plan, tensor))] \
        if bias is not None else list(step.inputs)  # fmt: skip
    quantiser = plan.producer(step.inputs[0])
    merged = plan.merge(parts, main=step, last=last)
    plan.replace(merged, "MatMulIntegerToFloat", operands)
    if quantiser is not None and quantiser.operator == "DynamicQuantizeLinear":
        _join_quantiser(plan, quantiser, merged)


def _is_vector(plan: FusionPlan, tensor: int) -> bool:
    return plan.is_constant(tensor) and len(plan.shape(tensor)) == 1


def _join_quantiser(plan: FusionPlan, quantiser: Step, product: Step) -> None:
    readers = (reader for tensor in quantiser.outputs if tensor >= 0 for reader in plan.readers(tensor))
    if any(reader is not product for reader in readers) or not product.inputs[1:]:
        return
    operands = [quantiser.inputs[0], *product.inputs[1:]]
    merged = plan.merge([quantiser, product], main=product, last=product)
    plan.replace(merged, "DynamicQuantizeMatMul", operands)
