"""A float graph as ONNX Runtime's quantisation tools would write it in 8 bits.

The tools simplify the graph first (level `basic`). Static quantisation puts QuantizeLinear and DequantizeLinear around
all operators that it knows; dynamic quantisation replaces products, convolutions, LSTMs and tables of constant weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from latcast.schema import Attribute, Graph, Node, TensorSpec
from predictors.features.kernels.rewrite.plan import FusionPlan, Step

__all__ = ["quantise_graph"]

_STATIC = {
    "Add", "ArgMax", "AveragePool", "BatchNormalization", "Concat", "Conv", "ConvTranspose", "Flatten", "Gather",
    "Gemm", "GlobalAveragePool", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "MatMul", "MaxPool", "Mul",
    "Pad", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Transpose", "Unsqueeze", "Where",
    "Relu", "Clip", "DepthToSpace",
}  # fmt: skip
_REMOVED = {"Relu", "Clip"}
"""Quantising a result saturates by itself."""
_FLOAT = "float32"


def quantise_graph(plan: FusionPlan, precision: str) -> tuple[Graph, tuple[tuple[int, ...], ...]]:
    """The quantised graph, and for each of its nodes the nodes of the original graph that it stands for.

    Args:
        plan: of the float graph, simplified.
        precision: `int8_dynamic` or `int8_static`.
    """
    writer = _Writer(plan)
    write = _write_static if precision == "int8_static" else _write_dynamic
    if precision == "int8_static":
        for step in plan.live(plan.steps()):
            if step.operator in _REMOVED and _follows_quantised(plan, step):
                plan.bypass(step, step.inputs[0])
    for step in plan.steps():
        write(writer, step)
    return writer.finish(), tuple(writer.owners)


def _follows_quantised(plan: FusionPlan, step: Step) -> bool:
    before = plan.producer(step.inputs[0])
    return before is not None and before.operator in _STATIC and plan.sole_reader(before) is step


class _Writer:
    def __init__(self, plan: FusionPlan) -> None:
        self.plan = plan
        self.tensors = list(plan.graph.tensors)
        self.constants = set(plan.constant)
        self.nodes: list[Node] = []
        self.owners: list[tuple[int, ...]] = []
        self.readable: dict[int, int] = {}
        self.packed: dict[int, int] = {}
        self.scale = self.constant("float32", ())

    def tensor(self, dtype: str, shape: tuple[int, ...] | None) -> int:
        self.tensors.append(TensorSpec(name=f"quantised_{len(self.tensors)}", dtype=dtype, shape=shape))
        return len(self.tensors) - 1

    def constant(self, dtype: str, shape: tuple[int, ...] | None) -> int:
        index = self.tensor(dtype, shape)
        self.constants.add(index)
        return index

    def node(
        self,
        operator: str,
        inputs: list[int],
        outputs: list[int],
        owners: tuple[int, ...] = (),
        attributes: Mapping[str, Attribute] | None = None,
    ) -> int:
        node = Node(operator=operator, inputs=tuple(inputs), outputs=tuple(outputs), attributes=attributes or {})
        self.nodes.append(node)
        self.owners.append(owners)
        return outputs[0]

    def keep(self, step: Step, inputs: list[int]) -> None:
        """The step as it is, reading these tensors."""
        main = self.plan.graph.nodes[step.main]
        changed = replace(main, operator=step.operator, inputs=tuple(inputs), outputs=tuple(step.outputs))
        self.nodes.append(replace(changed, attributes=step.attributes))
        self.owners.append(tuple(step.nodes))

    def read(self, tensor: int) -> int:
        """Where a reader finds the tensor's value by now."""
        return self.readable.get(tensor, tensor)

    def pack(self, tensor: int, dtype: str, owners: tuple[int, ...], *, shared: bool) -> int:
        """The tensor through 8 bits and back; constants are 8 bits from the beginning."""
        if shared and tensor in self.readable:
            return self.readable[tensor]
        shape = self.tensors[tensor].shape
        if tensor in self.constants:
            packed = self.constant(dtype, shape)
        else:
            packed = self.node("QuantizeLinear", [tensor, self.scale], [self.tensor(dtype, shape)], owners)
        readable = self.node("DequantizeLinear", [packed, self.scale], [self.tensor(_FLOAT, shape)], owners)
        if shared:
            self.readable[tensor] = readable
        return readable

    def finish(self) -> Graph:
        outputs = tuple(self.read(tensor) for tensor in sorted(self.plan.results) if tensor >= 0)
        return replace(
            self.plan.graph,
            tensors=tuple(self.tensors),
            nodes=tuple(self.nodes),
            initializers=frozenset(self.constants),
            outputs=outputs,
        )


def _is_float(writer: _Writer, tensor: int) -> bool:
    return tensor >= 0 and writer.tensors[tensor].dtype == _FLOAT


def _write_static(writer: _Writer, step: Step) -> None:
    results = [tensor for tensor in step.outputs if tensor >= 0]
    if step.operator not in _STATIC or not results or not _is_float(writer, step.inputs[0]):
        writer.keep(step, [writer.read(tensor) for tensor in step.inputs])
        return
    bias = 2 if step.operator in {"Conv", "Gemm", "ConvTranspose"} else -1
    owners = tuple(step.nodes)  # one tuple for all that is written: both may be long
    inputs = []
    for place, tensor in enumerate(step.inputs):
        weights = tensor in writer.constants
        if not _is_float(writer, tensor) or (step.operator == "Resize" and place > 0):
            inputs.append(tensor)
        else:
            dtype = "int32" if place == bias else "int8" if weights else "uint8"
            inputs.append(writer.pack(tensor, dtype, owners, shared=not weights))
    writer.keep(step, inputs)
    for tensor in results:
        if _is_float(writer, tensor):
            writer.pack(tensor, "uint8", owners, shared=True)


def _write_dynamic(writer: _Writer, step: Step) -> None:
    rule = _DYNAMIC.get(step.operator)
    weights = {"Gather": 0}.get(step.operator, 1)
    constant = rule is not None and len(step.inputs) > weights and step.inputs[weights] in writer.constants
    if rule is None or not constant or not _is_float(writer, step.inputs[weights]):
        writer.keep(step, list(step.inputs))
    else:
        rule(writer, step)


def _dynamic_product(writer: _Writer, step: Step) -> None:
    """DynamicQuantizeLinear, the product in integers, Cast, Mul by both scales, Add of the bias."""
    data, weights = step.inputs[:2]
    bias = step.inputs[2] if len(step.inputs) > 2 else -1
    shape, owners = writer.plan.spec(step.outputs[0]).shape, tuple(step.nodes)
    scale = writer.tensor(_FLOAT, ())
    if data not in writer.packed:
        packed = writer.tensor("uint8", writer.plan.spec(data).shape)
        outputs = [packed, scale, writer.tensor("uint8", ())]
        writer.packed[data] = writer.node("DynamicQuantizeLinear", [data], outputs, owners)
        writer.readable[packed] = scale
    packed = writer.packed[data]
    quantised = writer.constant("int8" if step.operator != "Conv" else "uint8", _untransposed(writer, step, weights))
    operator = "ConvInteger" if step.operator == "Conv" else "MatMulInteger"
    product = writer.tensor("int32", shape)
    attributes = step.attributes if step.operator == "Conv" else {}
    writer.node(operator, [packed, quantised], [product], owners, attributes)
    as_float = writer.node("Cast", [product], [writer.tensor(_FLOAT, shape)], owners)
    scales = [writer.readable[packed], writer.constant(_FLOAT, ())]
    both = writer.node("Mul", scales, [writer.tensor(_FLOAT, ())], owners)
    last = step.outputs[0] if bias < 0 else writer.tensor(_FLOAT, shape)
    writer.node("Mul", [as_float, both], [last], owners)
    if bias >= 0:
        writer.node("Add", [last, bias], [step.outputs[0]], owners)


def _untransposed(writer: _Writer, step: Step, weights: int) -> tuple[int, ...] | None:
    shape = writer.plan.spec(weights).shape
    return shape[::-1] if shape is not None and step.integer("transB", 0) else shape


def _dynamic_recurrence(writer: _Writer, step: Step) -> None:
    """DynamicQuantizeLSTM, whose weights are transposed."""
    inputs = list(step.inputs)
    for place in (1, 2):
        directions, *rest = writer.plan.shape(inputs[place])
        inputs[place] = writer.constant("int8", (directions, *rest[::-1]))
    writer.node("DynamicQuantizeLSTM", inputs, list(step.outputs), tuple(step.nodes), step.attributes)


def _dynamic_table(writer: _Writer, step: Step) -> None:
    table = writer.constant("int8", writer.plan.spec(step.inputs[0]).shape)
    shape = writer.plan.spec(step.outputs[0]).shape
    rows = writer.tensor("int8", shape)
    writer.node("Gather", [table, *step.inputs[1:]], [rows], tuple(step.nodes), step.attributes)
    writer.node("DequantizeLinear", [rows, writer.scale], [step.outputs[0]], tuple(step.nodes))


_DYNAMIC: Mapping[str, Callable[[_Writer, Step], None]] = {
    **dict.fromkeys(("MatMul", "Gemm", "Conv"), _dynamic_product),
    "LSTM": _dynamic_recurrence,
    "Gather": _dynamic_table,
}
