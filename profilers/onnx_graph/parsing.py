"""Bytes to a `ModelProto` that is safe to walk: everything that can be refused without knowing shapes is refused here.

Nothing is read from disk, nothing is materialised, and every string that later code touches has been decoded once.
"""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, TypeProto

from profilers.onnx_graph.limits import Limits
from profilers.schema import InvalidModelError, UnsupportedOperatorError

__all__ = ["DOMAINS", "parse_model", "walk_graphs"]

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains that are understood; others are refused unless the model defines their operators as functions."""


def parse_model(model: bytes, limits: Limits) -> ModelProto:
    """The model in these bytes, once all caps hold.

    Raises:
        ModelLimitError: a cap of `limits` is exceeded.
        UnsupportedOperatorError: an unknown operator domain.
        InvalidModelError: not ONNX, truncated, external data, malformed names.
    """
    limits.check("model_bytes", len(model), "bytes")
    if not model:
        raise InvalidModelError("The model is empty: zero bytes were given.")
    try:
        proto: ModelProto = ModelProto.FromString(model)
    except DecodeError:
        raise InvalidModelError(
            "These bytes are not an ONNX model, or it is truncated: they do not parse. Copy or export the file again."
        ) from None
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise InvalidModelError("These bytes are not an ONNX model: there is no graph in them.")
    _Checker(limits).check_model(proto)
    return proto


def walk_graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every body inside it, each before the bodies it holds."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield current
        for node in current.node:
            pending.extend(_bodies(node))


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


class _Checker:
    """Checks one model against the limits, counting as it goes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes = self._initializers = 0
        self._domains: frozenset[str] = DOMAINS

    def check_model(self, model: ModelProto) -> None:
        if not model.opset_import:
            raise InvalidModelError("The model imports no operator set (opset_import is empty).")
        for entry in model.opset_import:
            self._names([entry.domain], "operator domain")
            if not 1 <= entry.version <= 1000:
                raise InvalidModelError(f"The model imports version {entry.version} of an operator set.")
        self._domains = DOMAINS | {function.domain for function in model.functions}
        self._graphs([model.graph])
        for function in model.functions:
            self._names((function.name, function.domain, function.overload), "function")
            self._names((*function.input, *function.output, *function.attribute), "a function's tensor")
            self._names([default.name for default in function.attribute_proto], "attribute")
            for default in function.attribute_proto:
                self._attribute(default, function.name)
            self._graphs(self._node_list(function.node))

    def _graphs(self, graphs: Iterable[GraphProto]) -> None:
        level = list(graphs)
        depth = 0
        while level:
            self._limits.check("depth", depth, "nested bodies")
            level = [body for graph in level for body in self._graph(graph)]
            depth += 1

    def _graph(self, graph: GraphProto) -> list[GraphProto]:
        for infos, what in ((graph.input, "input"), (graph.output, "output")):
            self._limits.check("graph_inputs", len(infos), f"{what}s of a graph")
            self._names([info.name for info in infos], f"graph {what}")
            for info in infos:
                self._type(info.type, info.name)
        self._names([info.name for info in graph.value_info], "tensor")
        self._initializers += len(graph.initializer) + len(graph.sparse_initializer)
        self._limits.check("initializers", self._initializers)
        for tensor in graph.initializer:
            self._tensor(tensor)
        for sparse in graph.sparse_initializer:
            self._sparse(sparse)
        return self._node_list(graph.node)

    def _node_list(self, nodes: Iterable[NodeProto]) -> list[GraphProto]:
        bodies: list[GraphProto] = []
        for node in nodes:
            self._nodes += 1
            self._node(node)
            bodies.extend(_bodies(node))
        self._limits.check("nodes", self._nodes)
        return bodies

    def _node(self, node: NodeProto) -> None:
        limits, inputs, outputs = self._limits, node.input, node.output
        limits.check("node_inputs", max(len(inputs), len(outputs)), "inputs or outputs of a node")
        self._names((node.name, node.op_type, node.domain, *inputs, *outputs), "node or tensor")
        if node.domain not in self._domains:
            raise UnsupportedOperatorError([f"{node.domain[:80]}.{node.op_type[:80]}"])
        limits.check("attributes", len(node.attribute), f"attributes of a {node.op_type} node")
        self._names([item.name for item in node.attribute], "attribute")
        for attribute in node.attribute:
            self._attribute(attribute, node.op_type)

    def _attribute(self, attribute: AttributeProto, owner: str) -> None:
        kind = attribute.type
        if kind in {AttributeProto.INT, AttributeProto.FLOAT}:
            return
        where = f"attribute {attribute.name!r} of {owner}"
        if kind in (AttributeProto.INTS, AttributeProto.FLOATS, AttributeProto.STRINGS):
            values = {AttributeProto.INTS: attribute.ints, AttributeProto.FLOATS: attribute.floats}
            self._limits.check("attribute_elements", len(values.get(kind, attribute.strings)), where)
        if kind == AttributeProto.STRING:
            self._limits.check("attribute_bytes", len(attribute.s), where)
        for text in attribute.strings if kind == AttributeProto.STRINGS else ():
            self._limits.check("attribute_bytes", len(text), where)
        for tensor in (attribute.t,) if kind == AttributeProto.TENSOR else attribute.tensors:
            self._tensor(tensor)
        sparse = (attribute.sparse_tensor,) if kind == AttributeProto.SPARSE_TENSOR else attribute.sparse_tensors
        for item in sparse:
            self._sparse(item)

    def _sparse(self, sparse: SparseTensorProto) -> None:
        self._dims(sparse.dims, sparse.values.name)
        self._tensor(sparse.values)
        self._tensor(sparse.indices)

    def _tensor(self, tensor: TensorProto) -> None:
        self._names((tensor.name,), "tensor")
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise InvalidModelError(f"The tensor {_shown(tensor.name)!r} keeps its data in another file, which is "
                                    "never opened. Save the model with its weights inside.")  # fmt: skip
        if tensor.HasField("segment"):
            raise InvalidModelError(
                f"The tensor {_shown(tensor.name)!r} is split into segments, which no runtime reads."
            )
        if not _decoded(tensor.doc_string):
            raise InvalidModelError(f"The doc_string of the tensor {_shown(tensor.name)!r} is not valid UTF-8.")
        self._dims(tensor.dims, tensor.name)

    def _dims(self, dims: Iterable[int], name: str) -> None:
        sizes = list(dims)
        self._limits.check("rank", len(sizes), f"dimensions of {name!r}")
        if any(size < 0 for size in sizes):
            raise InvalidModelError(f"The tensor {name!r} has a negative size in its shape {sizes}.")

    def _type(self, type_proto: TypeProto, name: str) -> None:
        kind = type_proto.WhichOneof("value")
        if kind not in ("tensor_type", "sparse_tensor_type"):
            return
        shape = getattr(type_proto, kind).shape
        self._limits.check("rank", len(shape.dim), f"dimensions of {name!r}")
        self._names([dim.dim_param for dim in shape.dim], "dimension")

    def _names(self, texts: Sequence[str], what: str) -> None:
        try:
            joined = "".join(texts)
        except TypeError:  # protobuf hands out bytes where UTF-8 is malformed
            raise InvalidModelError(f"The name of a {what} is not valid UTF-8.") from None
        if len(joined) * 4 > self._limits.name_bytes:
            longest = max(texts, key=len)
            self._limits.check("name_bytes", len(longest.encode()), f"bytes in the name of a {what}")
        if not joined.isprintable():
            culprit = next(text for text in texts if not text.isprintable())
            raise InvalidModelError(f"The name of a {what} holds control characters: {_shown(culprit)!r}.")


def _decoded(text: object) -> bool:
    """Whether a string is one: protobuf hands out bytes where UTF-8 is malformed."""
    return isinstance(text, str)


def _shown(text: str) -> str:
    """A foreign text as it may stand in a message."""
    return text[:80].encode("unicode_escape").decode()
