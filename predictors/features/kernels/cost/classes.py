"""Classes of kernels, which operator belongs to which, and what an element costs."""

from collections.abc import Callable, Mapping
from math import prod

from predictors.features.kernels.cost.shapes import count_elements
from predictors.features.kernels.rewrite.layout import BLOCK
from predictors.features.kernels.rewrite.plan import FusionPlan, Step, is_trained

__all__ = ["CLASSES", "ELEMENT_COST", "kernel_class"]

CLASSES: tuple[str, ...] = (
    "conv", "conv_pointwise", "conv_depthwise", "conv_grouped", "conv_direct", "conv_plain", "conv_plain_grouped",
    "conv_transpose", "gemm", "matmul", "rnn", "einsum", "elementwise", "broadcast", "activation", "pool",
    "pool_plain", "global_pool", "norm",
    "softmax", "reduce", "concat", "split", "slice", "gather", "scatter", "transpose", "reshape", "copy", "pad",
    "resize", "reorder", "lrn", "sort", "control", "other", "call",
    "int8_conv", "int8_conv_pointwise", "int8_conv_depthwise", "int8_gemm", "int8_matmul", "int8_rnn", "int8_pass",
    "quantise", "few_bits", "attention", "trees", "search", "sample", "signal", "gather_elements",
    "gemv", "conv_plain_depthwise",
)  # fmt: skip
"""Kernel classes; each has its own work model, its own multiplier in adaptation and its own uncertainty."""

ELEMENT_COST: Mapping[str, float] = {
    "Relu": 1, "Clip": 1, "LeakyRelu": 2, "PRelu": 35, "Abs": 1, "Neg": 1, "Floor": 4, "Ceil": 3, "Round": 4, "Not": 1,
    "Sign": 8, "HardSigmoid": 1.5, "HardSwish": 3, "ThresholdedRelu": 2, "Sigmoid": 2.5, "Tanh": 2.5, "Erf": 3.5,
    "Gelu": 4, "FastGelu": 4, "BiasGelu": 4, "QuickGelu": 1.5, "Swish": 1.5, "Mish": 105, "Elu": 15, "Selu": 15,
    "Celu": 30, "Exp": 1.5, "Log": 15, "Softplus": 100, "Softsign": 2, "Sqrt": 3, "Reciprocal": 2, "Sin": 13, "Cos": 13,
    "Tan": 30, "Asin": 30, "Acos": 30, "Atan": 30, "Sinh": 30, "Cosh": 30, "Asinh": 30, "Acosh": 30, "Atanh": 30,
    "Pow": 80, "Mod": 20, "Add": 1, "Sub": 1, "Mul": 1, "Div": 2, "Min": 2, "Max": 2, "Sum": 1, "Mean": 2, "Where": 40,
    "Equal": 1, "Greater": 1.5, "Less": 1.5, "GreaterOrEqual": 1.5, "LessOrEqual": 1.5, "And": 1, "Or": 1, "Xor": 1,
    "Cast": 1, "QuantizeLinear": 3, "DequantizeLinear": 2, "DynamicQuantizeLinear": 5, "QLinearAdd": 4, "QLinearMul": 4,
    "QLinearSigmoid": 2, "QLinearLeakyRelu": 2, "QLinearConcat": 1, "QLinearSoftmax": 8, "QLinearAveragePool": 6,
    "QLinearGlobalAveragePool": 2, "QLinearReduceMean": 4, "QLinearWhere": 10, "RandomNormal": 20, "RandomUniform": 6,
    "IsNaN": 1, "IsInf": 1, "BitShift": 1, "BatchNormalization": 1, "Hardmax": 4, "Shrink": 2, "Softmax": 3,
    "LogSoftmax": 3, "LayerNormalization": 5, "SimplifiedLayerNormalization": 5, "SkipLayerNormalization": 35,
    "SkipSimplifiedLayerNormalization": 35, "InstanceNormalization": 3, "GroupNormalization": 10, "LRN": 200,
    "ArgMax": 20, "ArgMin": 20, "ReduceProd": 10, "ReduceMin": 3, "ReduceMax": 3, "CumSum": 10,
}  # fmt: skip
"""Rough cost of one element, in additions; its order of magnitude is what counts."""

_COMPUTE_BOUND = 10.0
"""Element-wise operators that cost more belong to the activations, however many inputs they have."""

_BINARY = {
    "Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "Where", "Equal", "Greater", "Less", "GreaterOrEqual",
    "LessOrEqual", "And", "Or", "Xor", "Pow", "Mod", "BitShift", "PRelu", "BatchNormalization",
}  # fmt: skip
_INT8_PRODUCTS = {"QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm",
                  "MatMulInteger16"}  # fmt: skip
_ATTENTION = ("Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention", "DecoderMaskedSelfAttention",
              "PackedAttention", "PackedMultiHeadAttention", "DecoderMaskedMultiHeadAttention")  # fmt: skip
_SIMPLE: Mapping[str, str] = {
    "GlobalAveragePool": "global_pool", "GlobalMaxPool": "global_pool", "GlobalLpPool": "global_pool",
    "MaxPool": "pool_plain", "AveragePool": "pool_plain", "LpPool": "pool_plain", "MaxUnpool": "pool_plain",
    "MaxRoiPool": "sample", "RoiAlign": "sample", "LSTM": "rnn", "GRU": "rnn", "RNN": "rnn",
    "Einsum": "einsum", "LRN": "lrn", "Pad": "pad",
    "LayerNormalization": "norm", "SkipLayerNormalization": "norm", "SimplifiedLayerNormalization": "norm",
    "SkipSimplifiedLayerNormalization": "norm", "RMSNormalization": "norm", "InstanceNormalization": "norm",
    "GroupNormalization": "norm", "MeanVarianceNormalization": "norm", "LpNormalization": "norm", "Softmax": "softmax",
    "LogSoftmax": "softmax", "Hardmax": "softmax", "Concat": "concat", "Split": "split", "Slice": "slice",
    "Gather": "gather", "GatherElements": "gather_elements", "GatherND": "gather_elements", "OneHot": "gather",
    "Scatter": "scatter", "ScatterElements": "scatter", "ScatterND": "scatter", "Transpose": "transpose",
    "DepthToSpace": "transpose", "SpaceToDepth": "transpose", "Reshape": "reshape", "Squeeze": "reshape",
    "Unsqueeze": "reshape", "Flatten": "reshape", "Shape": "reshape", "Size": "reshape", "Identity": "copy",
    "Expand": "copy", "Tile": "copy", "ConstantOfShape": "copy", "Range": "copy", "Trilu": "copy", "Resize": "resize",
    "Upsample": "resize", "GridSample": "sample", "ReorderOutput": "reorder", "ReorderInput": "reorder", "TopK": "sort",
    "ArgMax": "reduce", "ArgMin": "reduce", "CumSum": "reduce", "NonZero": "search", "Unique": "search",
    "Compress": "search", "NonMaxSuppression": "search", "QuantizeLinear": "quantise",
    "DequantizeLinear": "quantise", "DynamicQuantizeLinear": "quantise", "MatMulNBits": "few_bits",
    "MatMulBnb4": "few_bits", "DynamicQuantizeLSTM": "int8_rnn", "STFT": "signal", "DFT": "signal",
    "MelWeightMatrix": "signal", "TreeEnsemble": "trees", "TreeEnsembleClassifier": "trees",
    "TreeEnsembleRegressor": "trees", "RotaryEmbedding": "broadcast", "GroupNorm": "norm", "SkipGroupNorm": "norm",
    "EmbedLayerNormalization": "norm", "BiasSoftmax": "softmax", "BiasAdd": "broadcast", "CastLike": "activation",
    "ReverseSequence": "copy", "EyeLike": "copy", "CenterCropPad": "copy", "Col2Im": "copy",
    "ConcatFromSequence": "concat", "SplitToSequence": "split", "SequenceAt": "copy",
    "SequenceConstruct": "copy", "SequenceInsert": "copy",
    "SequenceEmpty": "copy", "SequenceLength": "reshape", "Scaler": "broadcast", "Imputer": "activation",
    "Normalizer": "norm", "LinearRegressor": "matmul", **dict.fromkeys(_ATTENTION, "attention"),
    "JoinedAttention": "attention", "If": "control", "Loop": "control", "Scan": "control", "Dropout": "copy",
    "RandomNormal": "activation", "RandomNormalLike": "activation",
    "RandomUniform": "activation", "RandomUniformLike": "activation", "Bernoulli": "activation",
}  # fmt: skip

_IN_TRAINING = {"BatchNormalization": "norm", "Dropout": "activation"}
"""Classes of operators that run as in training: one computes statistics, the other draws each element."""


def kernel_class(plan: FusionPlan, step: Step) -> str:
    """The class of the kernel that a step becomes."""
    operator = step.operator
    product = _PRODUCTS.get(operator)
    if product is not None:
        return product(plan, step)
    if is_trained(step) and operator in _IN_TRAINING:
        return _IN_TRAINING[operator]
    if operator == "BatchNormalization" and step.blocked:
        return "conv_depthwise"
    if operator in _BINARY and ELEMENT_COST.get(operator, 1.0) < _COMPUTE_BOUND:
        shapes = {plan.shape(tensor) for tensor in step.inputs if tensor >= 0}
        return "elementwise" if len(shapes) == 1 or operator == "BatchNormalization" else "broadcast"
    if operator in {"MaxPool", "AveragePool"} and step.blocked:
        return "pool"
    return _class_by_name(operator)


def _class_by_name(operator: str) -> str:
    if operator.startswith("QLinear"):
        return "int8_pass"
    if operator.startswith("Reduce"):
        return "reduce"
    return _SIMPLE.get(operator, "activation" if operator in ELEMENT_COST else "other")


def _conv_class(plan: FusionPlan, step: Step) -> str:
    weights, groups = plan.shape(step.inputs[1]), step.integer("group", 1)
    if step.operator == "ConvTranspose":
        return "conv_transpose"
    if not step.blocked:
        if groups == 1:
            return "conv_plain"
        return "conv_plain_depthwise" if weights[1] == 1 else "conv_plain_grouped"
    if groups > 1:
        return "conv_depthwise" if weights[1] == 1 else "conv_grouped"
    if weights[1] < BLOCK:
        return "conv_direct"
    return "conv_pointwise" if prod(weights[2:]) == 1 else "conv"


def _int8_class(plan: FusionPlan, step: Step) -> str:
    weights = plan.shape(step.inputs[1]) if len(step.inputs) > 1 else ()
    if step.operator in _INT8_PRODUCTS:
        return "int8_gemm" if weights and plan.is_constant(step.inputs[1]) and len(weights) == 2 else "int8_matmul"
    if weights[1:2] == (1,) and step.integer("group", 1) > 1:
        return "int8_conv_depthwise"
    return "int8_conv_pointwise" if prod(weights[2:]) == 1 else "int8_conv"


def _matmul_class(plan: FusionPlan, step: Step) -> str:
    weights = plan.shape(step.inputs[1])
    if not plan.is_constant(step.inputs[1]) or len(weights) != 2:
        return "matmul"
    rows = count_elements(plan, step) / max(1, weights[0 if step.integer("transB", 0) else 1])
    return "gemv" if rows <= 1 else "gemm"


_PRODUCTS: Mapping[str, Callable[[FusionPlan, Step], str]] = {
    **dict.fromkeys(("Conv", "ConvTranspose"), _conv_class),
    **dict.fromkeys(("MatMul", "Gemm"), _matmul_class),
    **dict.fromkeys(("QLinearConv", "ConvInteger", *_INT8_PRODUCTS), _int8_class),
}
"""Operators whose class follows from the shapes of their weights."""
