"""Bytes to a `Source` that is safe to walk: everything that can be refused without knowing shapes is refused here.

Nothing is read from disk, nothing is materialised, and every string that later code touches has been decoded once.
"""

from collections.abc import Sequence
from unicodedata import category

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    SparseTensorProto,
    TensorProto,
    TypeProto,
    defs,
)

from latcast.schema import InvalidModelError, UnsupportedOperatorError
from latcast.schema.articles import with_article
from profilers.onnx_graph.foreign_files import not_a_model
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.node_order import in_order
from profilers.onnx_graph.operations import PLAIN, plain_value, shared_operation
from profilers.onnx_graph.source import Operation, Plain, Source, SourceFunction, SourceGraph, SourceNode, SourceTensor

__all__ = ["DOMAINS", "parse_model", "read_model"]

_EXTERNAL = TensorProto.EXTERNAL  # looked up once: enumerations of protocol buffers are slow to ask
_TENSOR, _GRAPH, _UNDEFINED = AttributeProto.TENSOR, AttributeProto.GRAPH, AttributeProto.UNDEFINED

_BROKEN = "These bytes are not an ONNX model, or it is truncated: they do not parse. Copy or export the file again."
_NO_GRAPH = "These bytes are not an ONNX model: there is no graph in them."
_NO_OUTPUT = "The graph has no output, so that no runtime computes anything: export the model with its outputs."

_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, marks of direction, halves of pairs, ends of lines and paragraphs."""
_JOINERS = "\u200c\u200d"
"""Characters of the second category that letters and emoji are joined with, or kept apart."""

_NEWEST = {domain or "ai.onnx": newest for domain, (_, newest) in defs.C.schema_version_map().items()}
"""Operator set of the standard → its newest version that the installed onnx knows."""

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains that are understood; others are refused unless the model defines their operators as functions."""


def parse_model(model: bytes, limits: Limits) -> Source:
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
        raise InvalidModelError(not_a_model(model, _BROKEN)) from None
    proto.ClearField("training_info")  # how to train it: no runtime that is measured reads it
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise InvalidModelError(not_a_model(model, _NO_GRAPH))
    if not proto.graph.output:
        raise InvalidModelError(_NO_OUTPUT)
    return read_model(proto, limits)


def read_model(proto: ModelProto, limits: Limits) -> Source:
    """The records of a model, once all caps hold.

    Raises:
        InvalidModelError: as `parse_model`.
    """
    return _Reader(limits).model(proto)


class _Reader:
    """Reads one model, checking it against the limits and counting as it goes.

    The names of nodes, tensors and attributes are gathered and checked together at the end, before anybody uses them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._texts: list[str] = []
        self._nodes = self._initializers = self._declared = 0
        self._domains: frozenset[str] = DOMAINS

    def model(self, model: ModelProto) -> Source:
        self._limits.check("opsets", len(model.opset_import), "operator sets")
        self._limits.check("functions", len(model.functions), "local functions")
        if not model.opset_import:
            raise InvalidModelError("The model imports no operator set (opset_import is empty).")
        for entry in model.opset_import:
            self._names([entry.domain], "operator domain")
            if not 1 <= entry.version <= 1000:
                raise InvalidModelError(f"The model imports version {entry.version} of an operator set.")
            self._known(entry)
        self._domains = DOMAINS | {function.domain for function in model.functions}
        graph = self._graph(model.graph, 0)
        functions = []
        for function in model.functions:
            self._names((function.name, function.domain, function.overload), "function")
            self._names((*function.input, *function.output, *function.attribute), "a function's tensor")
            for default in function.attribute_proto:
                self._names((default.name,), "attribute")
                self._operation(function.name, "", [default], 0)
            functions.append(SourceFunction(function, self._node_list(function.node[:], 0)))
        self._names(self._texts, "node, tensor or attribute")
        return Source(model, graph, functions)

    def _graph(self, graph: GraphProto, depth: int) -> SourceGraph:
        self._limits.check("depth", depth, "nested bodies")
        inputs, outputs, declared = graph.input[:], graph.output[:], graph.value_info[:]
        for infos, what in ((inputs, "input"), (outputs, "output")):
            self._limits.check("graph_inputs", len(infos), f"{what}s of a graph")
            self._names([info.name for info in infos], f"graph {what}")
            for info in infos:
                self._type(info.type, info.name)
        self._declared += len(declared) + len(graph.quantization_annotation)
        self._limits.check("declared", self._declared, "tensors whose type or quantisation is declared")
        self._names([info.name for info in declared], "tensor")
        self._initializers += len(graph.initializer) + len(graph.sparse_initializer)
        self._limits.check("initializers", self._initializers)
        tensors = [self._tensor(tensor) for tensor in graph.initializer[:]]
        sparse = graph.sparse_initializer[:]
        for item in sparse:
            self._sparse(item)
        return SourceGraph(inputs, outputs, declared, self._node_list(graph.node[:], depth), tensors, sparse)

    def _node_list(self, nodes: Sequence[NodeProto], depth: int) -> list[SourceNode]:
        self._nodes += len(nodes)
        self._limits.check("nodes", self._nodes)
        return in_order([self._node(node, depth) for node in nodes])

    def _node(self, node: NodeProto, depth: int) -> SourceNode:
        limits, operator, domain = self._limits, node.op_type, node.domain
        name, inputs, outputs = node.name, node.input[:], node.output[:]
        most = max(len(inputs), len(outputs))
        if most > limits.node_inputs:
            limits.check("node_inputs", most, "inputs or outputs of a node")
        self._texts += (name, operator, domain, *inputs, *outputs)
        if domain not in self._domains:
            raise UnsupportedOperatorError([f"{domain[:80]}.{operator[:80]}"])
        return SourceNode(self._operation(operator, domain, node.attribute[:], depth), name, inputs, outputs, node)

    def _operation(self, operator: str, domain: str, attributes: Sequence[AttributeProto], depth: int) -> Operation:
        limits = self._limits
        if len(attributes) > limits.attributes:
            limits.check("attributes", len(attributes), f"attributes of {with_article(_shown(operator))} node")
        shared = shared_operation(operator, domain, attributes)
        if shared is None:
            self._names([item.name for item in attributes], "attribute")
            return self._own_operation(operator, domain, attributes, depth)
        if attributes:
            self._texts += shared.names
            if shared.most_elements > limits.attribute_elements:
                limits.check("attribute_elements", shared.most_elements, f"attributes of {_shown(operator)}")
            if shared.most_bytes > limits.attribute_bytes:
                limits.check("attribute_bytes", shared.most_bytes, f"attributes of {_shown(operator)}")
            for tensor in shared.operation.tensors.values():
                self._check_tensor(tensor.proto)
        return shared.operation

    def _own_operation(self, operator: str, domain: str, attributes: Sequence[AttributeProto], depth: int) -> Operation:
        """An operation with large attributes, tensors or bodies."""
        plain: dict[str, Plain] = {}
        tensors: dict[str, SourceTensor] = {}
        bodies: list[tuple[str, SourceGraph]] = []
        graphs: list[SourceGraph] = []
        other: list[str] = []
        fault = ""
        for attribute in attributes:
            name, kind = attribute.name, attribute.type
            if kind not in (_TENSOR, _GRAPH):
                self._sizes(attribute, f"attribute {_shown(name)!r} of {_shown(operator)}")
            if kind == _TENSOR:
                tensors[name] = self._tensor(attribute.t)
            elif kind == _GRAPH:
                bodies.append((name, self._graph(attribute.g, depth + 1)))
                graphs.append(bodies[-1][1])
            elif kind in PLAIN:
                plain[name] = plain_value(attribute)
            elif kind == _UNDEFINED or attribute.ref_attr_name:
                fault = fault or f"has an attribute {name!r} without a value of its own"
            else:
                other.append(name)
                graphs += [self._graph(body, depth + 1) for body in attribute.graphs]
        if not fault and len(plain) + len(tensors) + len(bodies) + len(other) != len(attributes):
            fault = "has an attribute twice"
        bodies.sort(key=lambda item: item[0])
        return Operation(operator, domain, plain=plain, tensors=tensors, bodies=tuple(bodies), graphs=tuple(graphs),
                         other=tuple(other), fault=fault)  # fmt: skip

    def _sizes(self, attribute: AttributeProto, where: str) -> None:
        """What is large, or holds tensors, in an attribute of any kind; whatever its kind says."""
        for values in (attribute.ints, attribute.floats, attribute.strings):
            self._limits.check("attribute_elements", len(values), where)
        longest = max(len(attribute.s), max(map(len, attribute.strings), default=0))
        self._limits.check("attribute_bytes", longest, where)
        for tensor in attribute.tensors:
            self._tensor(tensor)
        if attribute.HasField("sparse_tensor"):
            self._sparse(attribute.sparse_tensor)
        for item in attribute.sparse_tensors:
            self._sparse(item)

    def _sparse(self, sparse: SparseTensorProto) -> None:
        self._dims(tuple(sparse.dims), sparse.values.name)
        self._tensor(sparse.values)
        self._tensor(sparse.indices)

    def _tensor(self, tensor: TensorProto) -> SourceTensor:
        return SourceTensor(tensor, *self._check_tensor(tensor))

    def _check_tensor(self, tensor: TensorProto) -> tuple[str, tuple[int, ...]]:
        """Its name and sizes."""
        name, dims = tensor.name, tuple(tensor.dims[:])
        self._texts.append(name)
        if tensor.data_location == _EXTERNAL or len(tensor.external_data):
            raise InvalidModelError(f"The tensor {_shown(name)!r} keeps its data in another file, which is "
                                    "never opened here. Give the model's path to a command or the client, which "
                                    "leave weights out, or save the model with its weights inside.")  # fmt: skip
        if tensor.HasField("segment"):
            raise InvalidModelError(f"The tensor {_shown(name)!r} is split into segments, which no runtime reads.")
        if not _decoded(tensor.doc_string):
            raise InvalidModelError(f"The doc_string of the tensor {_shown(name)!r} is not valid UTF-8.")
        self._dims(dims, name)
        return name, dims

    def _dims(self, dims: tuple[int, ...], name: str) -> None:
        if len(dims) > self._limits.rank:
            self._limits.check("rank", len(dims), f"dimensions of {_shown(name)!r}")
        if dims and min(dims) < 0:
            raise InvalidModelError(f"The tensor {_shown(name)!r} has a negative size in its shape {list(dims)}.")

    def _type(self, type_proto: TypeProto, name: str) -> None:
        kind = type_proto.WhichOneof("value")
        if kind not in ("tensor_type", "sparse_tensor_type"):
            return
        shape = getattr(type_proto, kind).shape
        self._limits.check("rank", len(shape.dim), f"dimensions of {name!r}")
        self._names([dim.dim_param for dim in shape.dim], "dimension")

    def _known(self, entry: OperatorSetIdProto) -> None:
        """Refuse an operator set of the standard that is newer than the standard: nobody says what it computes."""
        domain = entry.domain or "ai.onnx"
        newest = _NEWEST.get(domain, entry.version)
        if entry.version > newest:
            raise InvalidModelError(
                f"The model imports version {entry.version} of the operator set {domain}, but the newest that is known "
                f"is {newest}: export it with that one or an older one."
            )

    def _names(self, texts: Sequence[str], what: str) -> None:
        try:
            joined = "".join(texts)
        except TypeError:  # protobuf hands out bytes where UTF-8 is malformed
            culprit = next(text for text in texts if not _decoded(text))
            raise InvalidModelError(
                f"The name of {with_article(what)} is not valid UTF-8: {_shown(culprit)}. Rename it and save the model."
            ) from None
        if max(map(len, texts), default=0) * 4 > self._limits.name_bytes:
            longest = max(texts, key=len)
            self._limits.check("name_bytes", len(longest.encode()), f"bytes in the name of {with_article(what)}")
        if not joined.isprintable() and any(map(_acts, set(joined))):
            culprit = next(text for text in texts if any(map(_acts, text)))
            raise InvalidModelError(
                f"The name of {with_article(what)} holds control characters: {_shown(culprit)!r}. "
                "Rename it and save the model."
            )


def _acts(character: str) -> bool:
    """Whether a character moves what is written after it; blanks of any script and joined emoji do not."""
    return category(character) in _ACTING and character not in _JOINERS


def _decoded(text: object) -> bool:
    """Whether a string is one: protobuf hands out bytes where UTF-8 is malformed."""
    return isinstance(text, str)


def _shown(text: str | bytes) -> str:
    """A foreign text as it may stand in a message."""
    start = text[:80]
    return start.encode("unicode_escape").decode() if isinstance(start, str) else ascii(start)
