"""One pass over a graph in order: shapes, constants, work, bodies and hash of each node."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from profilers.onnx_graph.attributes import Attributes, read_attributes
from profilers.onnx_graph.constants import Array, has_values, holds_denormals, small_array, validate_tensor
from profilers.onnx_graph.control_flow import Body, control_flow_outputs, control_flow_work
from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.folding import evaluate
from profilers.onnx_graph.hashing import Merkle, graph_hash
from profilers.onnx_graph.inference import infer_outputs
from profilers.onnx_graph.scope import Context, Scope
from profilers.onnx_graph.usage import values_matter
from profilers.onnx_graph.values import Value
from profilers.onnx_graph.work import node_work
from profilers.schema import Graph, InvalidModelError, Node

__all__ = ["Walked", "walk"]

_UNFOLDED = frozenset({"DequantizeLinear", "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike",
                       "RandomUniform", "RandomUniformLike"})  # fmt: skip
"""Never constant: random, or (DequantizeLinear) absorbed by quantised kernels rather than computed ahead."""


class Walked(NamedTuple):
    """A walked graph.

    Args:
        graph: the record.
        outputs: its outputs' values.
        digest: what its hash is made of.
    """

    graph: Graph
    outputs: list[Value]
    digest: bytes


def walk(
    graph: GraphProto, inputs: Sequence[Value], context: Context, *, parent: Scope | None = None, salt: bytes = b""
) -> Walked:
    """Walk a graph or a body.

    Args:
        graph: checked by `parse_model`.
        inputs: values of its inputs; initializers are none.
        context: of the whole model.
        parent: names around a body.
        salt: what else the hash depends on.

    Raises:
        InvalidModelError: the graph does not fit together, or is too large.
    """
    return _Walk(context, parent).run(graph, inputs, salt)


class _Walk:
    def __init__(self, context: Context, parent: Scope | None) -> None:
        self._context = context
        self._scope = Scope(parent)
        self._merkle = Merkle()
        self._nodes: list[Node] = []
        self._kind = "input" if parent is None else "formal"

    def run(self, graph: GraphProto, inputs: Sequence[Value], salt: bytes) -> Walked:
        for position, value in enumerate(inputs):
            self._merkle.leaf(value, self._kind, position)
            self._define(value)
            self._scope.place(value)
        for tensor in graph.initializer:
            self._add_constant(tensor.name, tensor)
        for sparse in graph.sparse_initializer:
            self._add_sparse(sparse.values, tuple(sparse.dims))
        declared = {info.name: info for info in (*graph.value_info, *graph.output)}
        self._declared = {name: Value.from_type(name, info.type) for name, info in declared.items()}
        for node in graph.node:
            self._add_node(node)
        outputs = [self._scope.lookup(info.name, "The list of outputs") for info in graph.output]
        indices = tuple(self._scope.place(value) for value in outputs)
        digest = self._merkle.finish(outputs, context=salt)
        scope = self._scope
        record = Graph(
            hash=graph_hash(digest), tensors=scope.tensors, inputs=tuple(value.index for value in inputs),
            outputs=indices, initializers=scope.initializers, nodes=tuple(self._nodes),
            opset=self._context.opsets.get("", 0), outer=scope.outer, denormal_weights=self._context.denormal_weights,
        )  # fmt: skip
        return Walked(record, outputs, digest)

    def _define(self, value: Value) -> None:
        self._context.check_size(value)
        self._scope.define(value)

    def _add_constant(self, name: str, tensor: TensorProto) -> None:
        dtype = dtype_name(tensor.data_type)
        value = Value(name, dtype, tensor.dims, constant=True)
        self._define(value)
        validate_tensor(tensor)
        if has_values(tensor):
            value.data = small_array(tensor)
            self._context.denormal_weights |= holds_denormals(tensor)
        exact = values_matter(tensor, self._context.uses.get(name))
        self._merkle.constant(value, tensor, exact=exact)

    def _add_sparse(self, values: TensorProto, dims: tuple[int, ...]) -> None:
        value = Value(values.name, dtype_name(values.data_type), dims, constant=True)
        self._define(value)
        self._merkle.leaf(value, "sparse", len(values.dims))

    def _add_node(self, node: NodeProto) -> None:
        self._context.count_node()
        attributes = read_attributes(node)
        domain = "" if node.domain == "ai.onnx" else node.domain
        if node.op_type == "Constant" and not domain:
            self._add_constant_node(node, attributes)
            return
        reader = f"A {node.op_type} node"
        inputs = [self._scope.lookup(name, reader) if name else None for name in node.input]
        if attributes.bodies:
            self._add_control_flow(node, domain, attributes, inputs)
            return
        constant = node.op_type not in _UNFOLDED and all(value is None or value.constant for value in inputs)
        outputs = self._outputs(node, domain, attributes, inputs, constant=constant)
        self._merkle.node((domain, node.op_type), attributes, inputs, outputs)
        for value in outputs:
            if value.name:
                self._define(value)
        if not outputs or not outputs[0].constant:
            self._record(node, domain, attributes, inputs, outputs)

    def _outputs(
        self, node: NodeProto, domain: str, attributes: Attributes, inputs: list[Value | None], *, constant: bool
    ) -> list[Value]:
        known = _shape_of(node, attributes, inputs) if not domain else None
        if known is None and constant and not domain:
            arrays = [None if value is None else value.data for value in inputs]
            if all(value is None or value.data is not None for value in inputs):
                known = evaluate(node.op_type, arrays, {**attributes.plain, **attributes.tensors})
        if known is not None and len(known) == len(node.output):
            return [_computed(name, array) for name, array in zip(node.output, known, strict=True)]
        outputs = infer_outputs(node, domain, attributes, inputs, self._context.opsets)
        for value in outputs:
            value.constant = constant
            self._complete(value)
        return outputs

    def _complete(self, value: Value) -> None:
        """What inference leaves open is taken from the model's own declarations."""
        declared = self._declared.get(value.name)
        if declared is None or value.other is not None:
            return
        value.dtype = value.dtype or declared.dtype
        if value.dims is None:
            value.dims = declared.dims
        elif declared.dims is not None and len(declared.dims) == len(value.dims):
            value.dims = tuple(b if a is None else a for a, b in zip(value.dims, declared.dims, strict=True))

    def _add_constant_node(self, node: NodeProto, attributes: Attributes) -> None:
        if len(node.output) != 1 or len(node.attribute) != 1:
            raise InvalidModelError("A Constant node needs one output and one value.")
        name = node.output[0]
        if attributes.other:
            sparse = node.attribute[0].sparse_tensor
            self._add_sparse(TensorProto(name=name, data_type=sparse.values.data_type), tuple(sparse.dims))
            return
        tensor = attributes.tensors.get("value")
        if tensor is None:
            tensor = _plain_constant(attributes)
        self._add_constant(name, tensor)

    def _add_control_flow(
        self, node: NodeProto, domain: str, attributes: Attributes, inputs: list[Value | None]
    ) -> None:
        def walk_body(body: GraphProto, formal: Sequence[Value]) -> Walked:
            return walk(body, formal, self._context, parent=self._scope)

        outputs, bodies, trips = control_flow_outputs(node, attributes, inputs, walk_body)
        for value in outputs:
            self._complete(value)
        self._merkle.node((domain, node.op_type), attributes, inputs, outputs, [body.walked.digest for body in bodies])
        for value in outputs:
            if value.name:
                self._define(value)
        self._record(node, domain, attributes, inputs, outputs, bodies=bodies, trips=trips)

    def _record(
        self,
        node: NodeProto,
        domain: str,
        attributes: Attributes,
        inputs: list[Value | None],
        outputs: list[Value],
        *,
        bodies: Sequence[Body] = (),
        trips: int = 1,
    ) -> None:
        place = self._scope.place
        work = node_work(node.op_type, inputs, outputs, attributes.plain)
        if bodies:
            work = control_flow_work(node.op_type, work, bodies, trips)
        self._nodes.append(Node(
            operator=node.op_type, domain=domain, inputs=tuple(-1 if item is None else place(item) for item in inputs),
            outputs=tuple(place(item) if item.name else -1 for item in outputs), attributes=attributes.plain,
            macs=work.macs, flops=work.flops, parameter_bytes=work.parameter_bytes, input_bytes=work.input_bytes,
            output_bytes=work.output_bytes, bodies=tuple(body.walked.graph for body in bodies), trips=trips,
            name=node.name,
        ))  # fmt: skip


def _computed(name: str, array: Array) -> Value:
    dtype = dtype_name(helper.np_dtype_to_tensor_dtype(array.dtype))
    return Value(name, dtype, array.shape, constant=True, data=array)


def _shape_of(node: NodeProto, attributes: Attributes, inputs: list[Value | None]) -> tuple[Array, ...] | None:
    """Shape and Size of a static tensor are constants, whatever the tensor holds."""
    if node.op_type not in ("Shape", "Size") or len(inputs) != 1 or inputs[0] is None:
        return None
    shape = inputs[0].shape
    if shape is None:
        return None
    if node.op_type == "Size":
        return (np.asarray(np.prod(shape, dtype=np.int64)),)
    start, end = (attributes.plain.get(name, default) for name, default in (("start", 0), ("end", len(shape))))
    if not isinstance(start, int) or not isinstance(end, int):
        raise InvalidModelError("The attributes start and end of a Shape node have to be integers.")
    return (np.asarray(shape[start:end], dtype=np.int64),)


def _plain_constant(attributes: Attributes) -> TensorProto:
    """The tensor of a Constant node that holds a number, a string or a list of them."""
    if not attributes.plain:
        raise InvalidModelError("A Constant node has no value.")
    ((name, value),) = attributes.plain.items()
    if name in ("value_string", "value_strings"):
        texts = [value] if isinstance(value, str) else list(value)  # type: ignore[arg-type]
        dims = [] if isinstance(value, str) else [len(texts)]
        return TensorProto(data_type=TensorProto.STRING, dims=dims, string_data=[str(text).encode() for text in texts])
    dtype = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if name not in dtype:
        raise InvalidModelError(f"A Constant node has no value, but an attribute {name!r}.")
    return numpy_helper.from_array(np.asarray(value, dtype=dtype[name]))
