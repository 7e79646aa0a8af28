"""Small hand-written models, the kernels that are foreseen for them, and those that ONNX Runtime makes of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from predictors.features.kernels import DEFAULT_TRAITS, ExecutionTraits, Level, predict_kernels
from profilers.onnx_graph import load_graph

LEVELS = {
    Level.DISABLED: onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    Level.BASIC: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    Level.EXTENDED: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    Level.ALL: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
SAME = {
    "FusedConv": "Conv", "FusedMatMul": "MatMul", "FusedGemm": "MatMul", "Gemm": "MatMul", "Upsample": "Resize",
    "BatchNormalization": "Conv", "NhwcMaxPool": "MaxPool",
}  # fmt: skip
LEFT_OUT = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Call"}
"""Reshapes around a Gemm come and go; the call is no node."""


class Model:
    """Writes small ONNX models by hand."""

    def __init__(self, opset: int = 17) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.opset = opset

    def input(self, *shape: int) -> str:
        self.inputs.append(helper.make_tensor_value_info(f"x{len(self.inputs)}", onnx.TensorProto.FLOAT, shape))
        return self.inputs[-1].name

    def weight(self, *shape: int) -> str:
        values = np.random.default_rng(len(self.constants)).uniform(0.5, 1.0, shape).astype(np.float32)
        return self.constant(values)

    def constant(self, values: object, dtype: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0]

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> str:
        weights = self.weight(outputs, inputs // groups, kernel, kernel)
        return self("Conv", x, weights, self.weight(outputs), pads=[kernel // 2] * 4, group=groups)

    def batch_norm(self, x: str, channels: int) -> str:
        return self("BatchNormalization", x, *(self.weight(channels) for _ in range(4)))

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        return self("Add", self("MatMul", x, self.weight(inputs, outputs)), self.weight(outputs))

    def build(self, *results: str) -> bytes:
        outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in results]
        graph = helper.make_graph(self.nodes, "test", self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        return onnx.shape_inference.infer_shapes(model, data_prop=True).SerializeToString()


def executed(model: bytes, folder: Path, level: Level = Level.ALL) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(folder / "optimised.onnx").graph.node
    return Counter(SAME.get(node.op_type, node.op_type) for node in nodes if node.op_type not in LEFT_OUT)


def predicted(model: bytes, traits: ExecutionTraits = DEFAULT_TRAITS) -> Counter[str]:
    kernels = predict_kernels(load_graph(model), traits)
    return Counter(SAME.get(k.operator, k.operator) for k in kernels if k.operator not in LEFT_OUT)


def activation(name: str) -> Callable[[Model], str]:
    def write(model: Model) -> str:
        x = model(name, model.batch_norm(model.conv(model.input(1, 16, 16, 16), 16, 32), 32))
        return model.conv(x, 32, 32)

    write.__name__ = f"activation_{name}"
    return write


def residual_blocked(model: Model) -> str:
    x = model("Relu", model.conv(model.input(1, 16, 16, 16), 16, 16))
    return model("Relu", model("Add", model.conv(x, 16, 16), x))


def residual_on_the_input(model: Model) -> str:
    x = model.input(1, 16, 16, 16)
    return model("Relu", model("Add", model.conv(model("Relu", model.conv(x, 16, 16)), 16, 16), x))


def residual_plain(model: Model) -> str:
    x = model("Relu", model.conv(model.input(1, 18, 16, 16), 18, 18))
    return model("Relu", model("Add", model.conv(x, 18, 18), x))


def squeeze_excite(model: Model) -> str:
    x = model("Relu", model.conv(model.input(1, 16, 16, 16), 16, 16))
    gate = model("Relu", model.conv(model("GlobalAveragePool", x), 16, 8, kernel=1))
    return model.conv(model("Mul", x, model("HardSigmoid", model.conv(gate, 8, 16, kernel=1))), 16, 16)


def silu(model: Model) -> str:
    x = model.conv(model.input(1, 16, 16, 16), 16, 16)
    return model.conv(model("Mul", x, model("Sigmoid", x)), 16, 16)


def hard_swish(*, alpha: float = 1 / 6, swapped: bool = False, again: bool = False) -> Callable[[Model], str]:
    def write(model: Model) -> str:
        x = model.conv(model.input(1, 16, 16, 16), 16, 16)
        gate = model("HardSigmoid", x, alpha=alpha, beta=0.5)
        product = model("Mul", gate, x) if swapped else model("Mul", x, gate)
        return model.conv(model("Add", product, x) if again else product, 16, 16)

    return write


def concat_aligned(model: Model) -> str:
    x = model.input(1, 16, 16, 16)
    return model.conv(model("Concat", model.conv(x, 16, 16), model.conv(x, 16, 32), axis=1), 48, 16)


def concat_unaligned(model: Model) -> str:
    x = model.input(1, 16, 16, 16)
    return model.conv(model("Concat", model.conv(x, 16, 24), model.conv(x, 16, 32), axis=1), 56, 16)


def pre_activation(model: Model) -> str:
    x = model("MaxPool", model.conv(model.input(1, 16, 16, 16), 16, 16), kernel_shape=[2, 2])
    return model.conv(model("Relu", model.batch_norm(x, 16)), 16, 16)


def grouped(model: Model) -> str:
    x = model.conv(model.input(1, 36, 8, 8), 36, 24, groups=4)
    return model.conv(x, 24, 24, groups=24)


def channels_last(model: Model) -> str:
    x = model("Transpose", model.input(1, 16, 16, 16), perm=[0, 3, 1, 2])
    return model("Transpose", model.conv(x, 16, 16), perm=[0, 2, 3, 1])


def padded(model: Model) -> str:
    pads = model.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    x = model("Pad", model.input(1, 16, 16, 16), pads)
    return model("Conv", x, model.weight(16, 16, 3, 3), model.weight(16))


def constants_and_copies(model: Model) -> str:
    shape = model("Concat", model.constant([1], np.int64), model.constant([-1], np.int64), axis=0)
    x = model("Identity", model("Relu", model.input(1, 8, 8)))
    return model("Gemm", model("Reshape", x, shape), model.weight(64, 10), model.weight(10))


def twice_the_same(model: Model) -> str:
    x = model.input(1, 8, 64)
    return model("Add", model("Relu", x), model("Relu", x))


def layer_norm(model: Model, x: str, size: int) -> str:
    centred = model("Sub", x, model("ReduceMean", x, axes=[-1], keepdims=1))
    variance = model("ReduceMean", model("Pow", centred, model.constant(2.0)), axes=[-1], keepdims=1)
    scale = model("Sqrt", model("Add", variance, model.constant(1e-5)))
    return model("Add", model("Mul", model("Div", centred, scale), model.weight(size)), model.weight(size))


def gelu(model: Model, x: str) -> str:
    erf = model("Erf", model("Div", x, model.constant(2**0.5)))
    return model("Mul", model("Mul", x, model("Add", erf, model.constant(1.0))), model.constant(0.5))


def transformer_block(model: Model) -> str:
    x = model.input(1, 8, 64)

    def heads(t: str, perm: list[int]) -> str:
        return model("Transpose", model("Reshape", t, model.constant([1, 8, 4, 16], np.int64)), perm=perm)

    h = layer_norm(model, x, 64)
    q, k, v = (model.linear(h, 64, 64) for _ in range(3))
    scores = model("Div", model("MatMul", heads(q, [0, 2, 1, 3]), heads(k, [0, 2, 3, 1])), model.constant(4.0))
    mixed = model("MatMul", model("Softmax", scores, axis=-1), heads(v, [0, 2, 1, 3]))
    merged = model("Reshape", model("Transpose", mixed, perm=[0, 2, 1, 3]), model.constant([1, 8, 64], np.int64))
    x = model("Add", x, model.linear(merged, 64, 64))
    feed_forward = model.linear(gelu(model, model.linear(layer_norm(model, x, 64), 64, 256)), 256, 64)
    return layer_norm(model, model("Add", x, feed_forward), 64)


def torch_attention(model: Model) -> str:
    """As PyTorch's own attention is exported: one projection, taken apart by Gather, heads as batches of columns."""
    x = model.linear(model("Transpose", model.input(1, 8, 32), perm=[1, 0, 2]), 32, 96)
    split = model(
        "Unsqueeze", model("Reshape", x, model.constant([8, 1, 3, 32], np.int64)), model.constant([0], np.int64)
    )
    parts = model("Squeeze", model("Transpose", split, perm=[3, 1, 2, 0, 4]), model.constant([3], np.int64))

    def heads(place: int) -> str:
        part = model("Gather", parts, model.constant(place, np.int64), axis=0)
        turned = model("Transpose", model("Reshape", part, model.constant([8, 4, 8], np.int64)), perm=[1, 0, 2])
        return model("Reshape", turned, model.constant([1, 4, 8, 8], np.int64))

    q, k, v = (heads(place) for place in range(3))
    scale = model.constant(0.6)
    turned = model("Mul", model("Transpose", k, perm=[0, 1, 3, 2]), scale)
    mixed = model("MatMul", model("Softmax", model("MatMul", model("Mul", q, scale), turned), axis=-1), v)
    merged = model("Reshape", model("Transpose", mixed, perm=[2, 0, 1, 3]), model.constant([8, 32], np.int64))
    return model("Gemm", merged, model.weight(32, 32), model.weight(32))


def fast_gelu(model: Model) -> str:
    x = model.linear(model.input(1, 8, 16), 16, 32)
    cube = model("Mul", model("Pow", x, model.constant(3.0)), model.constant(0.044715))
    inner = model("Mul", model("Add", x, cube), model.constant(0.7978845608))
    gate = model("Add", model("Tanh", inner), model.constant(1.0))
    return model.linear(model("Mul", model("Mul", x, model.constant(0.5)), gate), 32, 16)


def graph_convolution(model: Model) -> str:
    """What is added is no vector but a matrix, and the product before it is a Gemm all the same."""
    product = model("MatMul", model.input(24, 16), model.weight(16, 8))
    return model("Relu", model("Add", product, model.input(24, 8)))


def split_by_gathers(model: Model) -> str:
    edges = model("Abs", model.input(2, 30))
    first, second = (model("Gather", edges, model.constant(place, np.int64), axis=0) for place in (0, 1))
    return model("Mul", first, model("Exp", second))


def partial_stage(model: Model) -> str:
    """Half of the channels pass, the other half is convolved, as in detectors' backbones."""
    x = model.conv(model.input(1, 16, 16, 16), 16, 32)
    first, second = (f"t{len(model.nodes)}_{index}" for index in (0, 1))
    model("Split", x, model.constant([16, 16], np.int64), outputs=2, axis=1)
    y = model.conv(second, 16, 16)
    joined = model("Concat", first, second, model("Mul", y, model("Sigmoid", y)), axis=1)
    return model.conv(joined, 48, 32)


def convnext_norm(model: Model) -> str:
    x = model("Transpose", model.conv(model.input(1, 16, 8, 8), 16, 16), perm=[0, 2, 3, 1])
    return model.conv(model("Transpose", layer_norm(model, x, 16), perm=[0, 3, 1, 2]), 16, 16)


STRUCTURES = [
    residual_blocked, residual_on_the_input, residual_plain, squeeze_excite, silu, hard_swish(),
    hard_swish(swapped=True), hard_swish(alpha=0.2), hard_swish(again=True), concat_aligned, concat_unaligned,
    pre_activation, grouped, channels_last, padded, constants_and_copies, twice_the_same, transformer_block,
    torch_attention, fast_gelu, graph_convolution, split_by_gathers,
    *(activation(name) for name in ("Relu", "Sigmoid", "LeakyRelu", "HardSigmoid", "Elu", "Softplus")),
]  # fmt: skip
