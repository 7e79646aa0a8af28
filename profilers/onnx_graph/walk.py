"""One pass over a graph in order: shapes, constants, work, bodies and hash of each node."""

from collections import Counter
from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from latcast.onnx_files.usage import SMALL_WEIGHT, values_matter
from latcast.schema import Graph, InvalidModelError, Node
from latcast.schema.articles import with_article
from profilers.onnx_graph.bias_scales import BiasScales
from profilers.onnx_graph.constant_outputs import Folded, fold
from profilers.onnx_graph.constants import Array, holds_denormals, validate_values
from profilers.onnx_graph.control_flow import Body, Surroundings, control_flow_outputs, control_flow_work
from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.hashing import Merkle, graph_hash
from profilers.onnx_graph.outcomes import Outcome, signature
from profilers.onnx_graph.records import make_node
from profilers.onnx_graph.scope import Context, Scope, Walked
from profilers.onnx_graph.shapes.inference import infer_outputs
from profilers.onnx_graph.shapes.sequences import note_elements
from profilers.onnx_graph.source import Operation, SourceGraph, SourceNode, SourceTensor
from profilers.onnx_graph.training_mode import TRAINED, in_training
from profilers.onnx_graph.values import Value
from profilers.onnx_graph.work import Work, node_work

__all__ = ["walk"]

_UNFOLDED = frozenset({"DequantizeLinear", "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike",
                       "RandomUniform", "RandomUniformLike"})  # fmt: skip
"""Never constant: random, or (DequantizeLinear) absorbed by quantised kernels rather than computed ahead."""


def walk(
    graph: SourceGraph, inputs: Sequence[Value], context: Context, *, parent: Scope | None = None, salt: bytes = b""
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
        self._stored: list[Value] = []
        self._bias_scales = BiasScales()
        self._kind = "input" if parent is None else "formal"

    def run(self, graph: SourceGraph, inputs: Sequence[Value], salt: bytes) -> Walked:
        for position, value in enumerate(inputs):
            self._merkle.leaf(value, self._kind, position)
            self._define(value)
            self._scope.place(value)
        for tensor in graph.tensors:
            self._add_constant(tensor.name, tensor)
        for sparse in graph.sparse:
            self._add_sparse(sparse.values, tuple(sparse.dims))
        self._declared = {info.name: info.type for info in (*graph.value_info, *graph.outputs)}
        for node in graph.nodes:
            self._add_node(node)
        outputs = [self._scope.lookup(info.name) for info in graph.outputs]
        for value in outputs:
            value.read = True
        indices = tuple(self._scope.place(value) for value in outputs)
        digest = self._merkle.finish(outputs, context=salt)
        scope = self._scope
        record = Graph(
            hash=graph_hash(digest), tensors=scope.tensors, inputs=tuple(value.index for value in inputs),
            outputs=indices, initializers=scope.initializers, nodes=tuple(self._nodes),
            opset=self._context.opsets.get("", 0), outer=scope.outer, denormal_weights=self._context.denormal_weights,
            training_mode=self._context.training_mode, stored=self._stored_elements(),
        )  # fmt: skip
        return Walked(record, outputs, digest)

    def _stored_elements(self) -> dict[str, int]:
        """Elements by type of the stored constants that are read, or are outputs."""
        counts: Counter[str] = Counter()
        for value in self._stored:
            if value.read:
                counts[value.dtype] += prod(value.shape or ())
        return dict(counts)

    def _define(self, value: Value) -> None:
        self._context.check_size(value)
        self._scope.define(value)

    def _add_constant(self, name: str, tensor: SourceTensor) -> None:
        value = Value(
            name,
            tensor.dtype,
            tensor.dims,
            constant=True,
            source=tensor,
            hollow=not tensor.filled and tensor.role is not None,
        )
        value.overridable = name in self._context.overridable
        self._define(value)
        self._stored.append(value)
        if not tensor.dtype:
            raise InvalidModelError(f"The tensor {name!r} has the unknown element type {tensor.proto.data_type}.")
        exact = values_matter(tensor, self._context.uses.get(name))
        if tensor.filled or not _is_placeholder(tensor, exact=exact):
            validate_values(tensor.proto, tensor.dtype, tensor.elements)
        if tensor.filled and tensor.is_float and not self._context.denormal_weights:
            self._context.denormal_weights = holds_denormals(tensor.proto)
        self._merkle.constant(value, tensor, exact=exact)

    def _add_sparse(self, values: TensorProto, dims: tuple[int, ...]) -> None:
        value = Value(values.name, dtype_name(values.data_type), dims, constant=True)
        self._define(value)
        self._stored.append(value)  # runtimes make it dense when they open the model
        self._merkle.leaf(value, "sparse", len(values.dims))

    def _add_node(self, node: SourceNode) -> None:
        self._context.count_node()
        operation = node.operation
        if operation.fault:
            raise InvalidModelError(f"{with_article(operation.operator, capital=True)} node {operation.fault}.")
        if operation.is_constant:
            self._add_constant_node(node)
            return
        lookup, operator = self._scope.lookup, operation.operator
        inputs = [lookup(name, operator) if name else None for name in node.inputs]
        for value in inputs:
            if value is not None:
                value.read = True
        if operator in TRAINED and in_training(operation, inputs, self._context.opsets):
            self._context.training_mode = True
        if operation.bodies:
            self._add_control_flow(node, inputs)
            return
        constant = operator not in _UNFOLDED and all(value is None or value.constant for value in inputs)
        outputs, work = self._outcome(node, inputs, constant=constant)
        self._merkle.node(operation, inputs, outputs)
        self._bias_scales.note(operation, inputs, outputs)
        hollow = constant and any(value is not None and value.hollow for value in inputs)
        for value in outputs:
            if value.name:
                value.hollow = hollow
                self._define(value)
        if not outputs or not outputs[0].constant:
            self._record(node, inputs, outputs, work or node_work(operator, inputs, outputs, operation.plain))

    def _outcome(
        self, node: SourceNode, inputs: list[Value | None], *, constant: bool
    ) -> tuple[list[Value], Work | None]:
        """The outputs, and the work where it is known already."""
        outcomes, key = self._context.outcomes, signature(node, inputs, constant=constant)
        known = outcomes.get(key) if key is not None else None
        if known is not None:
            return self._repeated(node, inputs, known, constant=constant)
        arrays = fold(node.operation, inputs, constant=constant)
        if arrays is not None and len(arrays) == len(node.outputs):
            folded = [_computed(name, array) for name, array in zip(node.outputs, arrays, strict=True)]
            if key is not None:
                outcomes.keep(key, Outcome(tuple((value.dtype, value.dims) for value in folded), None))
            return folded, None
        outputs, work = infer_outputs(node, inputs, self._context.opsets), None
        note_elements(node.operation, inputs, outputs)
        if key is not None and all(value.other is None for value in outputs):
            work = node_work(node.operation.operator, inputs, outputs, node.operation.plain)
            outcomes.keep(key, Outcome(tuple([(value.dtype, value.dims) for value in outputs]), work))
        for value in outputs:
            value.constant = constant
        completed = [self._complete(value) for value in outputs]
        return outputs, None if any(completed) else work

    def _repeated(
        self, node: SourceNode, inputs: list[Value | None], known: Outcome, *, constant: bool
    ) -> tuple[list[Value], Work | None]:
        """The outputs of a node whose outcome is known; values are computed when somebody wants them."""
        pairs = zip(node.outputs, known.outputs, strict=True)
        if known.work is None:
            return [
                Value(name, dtype, dims, constant=True, source=Folded(node.operation, inputs, at))
                for at, (name, (dtype, dims)) in enumerate(pairs)
            ], None
        outputs = [Value(name, dtype, dims, constant=constant) for name, (dtype, dims) in pairs]
        completed = [self._complete(value) for value in outputs]
        return outputs, None if any(completed) else known.work

    def _complete(self, value: Value) -> bool:
        """What inference leaves open is taken from the model's own declarations; whether something was."""
        if value.name not in self._declared or value.other is not None:
            return False
        if value.dtype and value.dims is not None and None not in value.dims:
            return False
        declared = Value.from_type(value.name, self._declared[value.name])
        value.dtype = value.dtype or declared.dtype
        if value.dims is None:
            value.dims = declared.dims
        elif declared.dims is not None and len(declared.dims) == len(value.dims):
            value.dims = tuple(b if a is None else a for a, b in zip(value.dims, declared.dims, strict=True))
        return True

    def _add_constant_node(self, node: SourceNode) -> None:
        operation = node.operation
        held = len(operation.plain) + len(operation.tensors) + len(operation.other)
        if len(node.outputs) != 1 or held != 1:
            raise InvalidModelError("A Constant node needs one output and one value.")
        name = node.outputs[0]
        if operation.other:
            sparse = node.proto.attribute[0].sparse_tensor
            self._add_sparse(TensorProto(name=name, data_type=sparse.values.data_type), tuple(sparse.dims))
            return
        tensor = operation.tensors.get("value")
        if tensor is None:
            proto = _plain_constant(operation)
            tensor = SourceTensor(proto, name, tuple(proto.dims))
        self._add_constant(name, tensor)

    def _add_control_flow(self, node: SourceNode, inputs: list[Value | None]) -> None:
        def walk_body(body: SourceGraph, formal: Sequence[Value]) -> Walked:
            return walk(body, formal, self._context, parent=self._scope)

        around = Surroundings(walk_body, self._scope.find, self._context.evaluations)
        outputs, bodies, trips = control_flow_outputs(node, inputs, around, opset=self._context.opsets.get("", 0))
        for value in outputs:
            self._complete(value)
        self._merkle.node(node.operation, inputs, outputs, [body.walked.digest for body in bodies])
        for value in outputs:
            if value.name:
                self._define(value)
        operator = node.operation.operator
        work = node_work(operator, inputs, outputs, node.operation.plain)
        work = control_flow_work(operator, work, bodies, trips)
        self._record(node, inputs, outputs, work, bodies=bodies, trips=trips)

    def _record(
        self,
        node: SourceNode,
        inputs: list[Value | None],
        outputs: list[Value],
        work: Work,
        *,
        bodies: Sequence[Body] = (),
        trips: int = 1,
    ) -> None:
        place, operation = self._scope.place, node.operation
        attributes = operation.recorded
        if operation.operator == "Dropout" and in_training(operation, inputs, self._context.opsets):
            attributes = {**attributes, "training_mode": 1}  # an input says so, whose value the record has not
        if self._bias_scales.differ(operation, inputs):
            attributes = {**attributes, "bias_scale_differs": 1}  # constants say so, whose values the record has not
        self._nodes.append(make_node(
            operator=operation.operator, domain=operation.domain, name=node.name,
            inputs=tuple([-1 if item is None else place(item) for item in inputs]),
            outputs=tuple([place(item) if item.name else -1 for item in outputs]), attributes=attributes,
            work=work, bodies=tuple([body.walked.graph for body in bodies]) if bodies else (), trips=trips,
        ))  # fmt: skip


def _is_placeholder(tensor: SourceTensor, *, exact: bool) -> bool:
    """Whether a tensor without values stands for a weight: one that was stripped, or one that says nothing else."""
    return tensor.role is not None or (not exact and tensor.is_float and tensor.elements > SMALL_WEIGHT)


def _computed(name: str, array: Array) -> Value:
    dtype = dtype_name(helper.np_dtype_to_tensor_dtype(array.dtype))
    return Value(name, dtype, array.shape, constant=True, data=array)


def _plain_constant(operation: Operation) -> TensorProto:
    """The tensor of a Constant node that holds a number, a string or a list of them."""
    if not operation.plain:
        raise InvalidModelError("A Constant node has no value.")
    ((name, value),) = operation.plain.items()
    if name in ("value_string", "value_strings"):
        texts = [value] if isinstance(value, str) else list(value)  # type: ignore[arg-type]
        dims = [] if isinstance(value, str) else [len(texts)]
        return TensorProto(data_type=TensorProto.STRING, dims=dims, string_data=[str(text).encode() for text in texts])
    dtype = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if name not in dtype:
        raise InvalidModelError(f"A Constant node has no value, but an attribute {name!r}.")
    return numpy_helper.from_array(np.asarray(value, dtype=dtype[name]))
