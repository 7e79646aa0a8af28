"""What of an ONNX model decides which constants are weights, read off the wire: nodes, tensors and where they lie.

Field numbers are those of onnx.proto; what is not needed is passed over, however long it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from latcast.onnx_files.usage import MARK, ROLES, Role
from latcast.onnx_files.wire import LENGTH, Bytes, Edit, Field, MalformedError

__all__ = ["DTYPE_BY_CODE", "ModelRecord", "TensorRecord", "read_record"]

DTYPE_BY_CODE: Mapping[int, str] = dict(enumerate((
    "", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64",
    "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
    "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
)))  # fmt: skip
"""Element type, as the schema writes it, by its code in `TensorProto.DataType`."""

_DEEPEST = 32
"""Bodies within bodies; the service takes fewer."""
_EXTERNAL = 1
_ROLE_BY_MARK: Mapping[str, Role] = {MARK + role: role for role in ROLES}


@dataclass(slots=True)
class TensorRecord:
    """A constant tensor.

    Args:
        start, end: where its message lies.
    """

    start: int
    end: int
    name: str = ""
    code: int = 0
    dims: list[int] = field(default_factory=list)
    doc_string: str = ""
    outside: bool = False
    location: dict[str, str] = field(default_factory=dict)
    """Where the values lie, when that is another file: `location`, `offset`, `length`."""

    @property
    def dtype(self) -> str:
        """Element type; `""` for one that is not known."""
        return DTYPE_BY_CODE.get(self.code, "")

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.dims)

    @property
    def role(self) -> Role | None:
        """With what it is refilled; None for one that was never stripped."""
        return _ROLE_BY_MARK.get(self.doc_string)


class OperationRecord(NamedTuple):
    """What a node does; of its numbers only those that say how a matrix lies."""

    operator: str
    domain: str
    plain: dict[str, int]
    tensors: "dict[str, TensorRecord]"
    graphs: "list[GraphRecord]"


class NodeRecord(NamedTuple):
    """A node."""

    operation: OperationRecord
    inputs: list[str]
    outputs: list[str]


class OutputRecord(NamedTuple):
    """An output of a graph."""

    name: str


@dataclass(slots=True)
class GraphRecord:
    """A graph or a body."""

    nodes: list[NodeRecord] = field(default_factory=list)
    tensors: list[TensorRecord] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)


@dataclass(slots=True)
class FunctionRecord:
    """A local function."""

    name: str = ""
    domain: str = ""
    nodes: list[NodeRecord] = field(default_factory=list)


@dataclass(slots=True)
class ModelRecord:
    """A model.

    Args:
        graph: what it computes.
        functions: its local functions.
        others: tensors whose values always stay: of sparse tensors and of attributes.
        needless: edits that take out what no forecast and no runtime needs.
    """

    graph: GraphRecord = field(default_factory=GraphRecord)
    functions: list[FunctionRecord] = field(default_factory=list)
    others: list[TensorRecord] = field(default_factory=list)
    needless: list[Edit] = field(default_factory=list)


def read_record(source: Bytes) -> ModelRecord:
    """The record of a model.

    Raises:
        MalformedError: it is no message of protocol buffers.
    """
    return _Reader(source).model()


class _Reader:
    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._record = ModelRecord()

    def model(self) -> ModelRecord:
        record = self._record
        for item in self._source.fields(0, self._source.size):
            if item.wire_type != LENGTH:
                continue
            if item.number == 7:
                self._graph(item, record.graph, 0)
            elif item.number == 25:
                record.functions.append(self._function(item))
            elif item.number == 20:  # how it was trained: graphs with weights of their own
                record.needless.append(Edit(item.start, item.end, None))
        return record

    def _graph(self, at: Field, graph: GraphRecord, depth: int) -> GraphRecord:
        if depth > _DEEPEST:
            raise MalformedError("bodies that are nested too deeply")
        for item in self._source.fields(at.start, at.end):
            if item.wire_type != LENGTH:
                continue
            if item.number == 1:
                graph.nodes.append(self._node(item, depth))
            elif item.number == 5:
                graph.tensors.append(self._tensor(item))
            elif item.number == 12:
                graph.outputs.append(OutputRecord(self._first_text(item)))
            elif item.number == 15:
                self._sparse(item)
        return graph

    def _function(self, at: Field) -> FunctionRecord:
        record = FunctionRecord()
        for item in self._source.fields(at.start, at.end):
            if item.wire_type != LENGTH:
                continue
            if item.number == 1:
                record.name = self._source.text(item)
            elif item.number == 10:
                record.domain = _domain(self._source.text(item))
            elif item.number == 7:
                record.nodes.append(self._node(item, 0))
        return record

    def _node(self, at: Field, depth: int) -> NodeRecord:
        source, texts = self._source, {4: "", 7: ""}
        inputs: list[str] = []
        outputs: list[str] = []
        attributes = []
        for item in source.fields(at.start, at.end):
            if item.wire_type != LENGTH:
                continue
            if item.number in (1, 2):
                (inputs, outputs)[item.number - 1].append(source.text(item))
            elif item.number in texts:
                texts[item.number] = source.text(item)
            elif item.number == 5:
                attributes.append(item)
        operation = OperationRecord(texts[4], _domain(texts[7]), {}, {}, [])
        for item in attributes:
            self._attribute(item, operation, depth)
        return NodeRecord(operation, inputs, outputs)

    def _attribute(self, at: Field, operation: OperationRecord, depth: int) -> None:
        name, number, tensor = "", None, None
        for item in self._source.fields(at.start, at.end):
            if item.number == 3 and item.wire_type != LENGTH:
                number = item.value
            elif item.wire_type != LENGTH:
                continue
            elif item.number == 1:
                name = self._source.text(item)
            elif item.number == 5:
                tensor = self._tensor(item)
            elif item.number in (6, 11):
                operation.graphs.append(self._graph(item, GraphRecord(), depth + 1))
            else:
                self._rare(item)
        if number is not None:
            operation.plain[name] = number
        if tensor is not None:
            operation.tensors[name] = tensor
            if operation.operator != "Constant" or name != "value":
                self._record.others.append(tensor)

    def _rare(self, item: Field) -> None:
        """Members of an attribute that hold several tensors, or sparse ones."""
        if item.number == 10:
            self._record.others.append(self._tensor(item))
        elif item.number in (22, 23):
            self._sparse(item)

    def _sparse(self, at: Field) -> None:
        for item in self._source.fields(at.start, at.end):
            if item.number in (1, 2) and item.wire_type == LENGTH:
                self._record.others.append(self._tensor(item))

    def _tensor(self, at: Field) -> TensorRecord:
        tensor = TensorRecord(at.start, at.end)
        for item in self._source.fields(at.start, at.end):
            self._tensor_field(item, tensor)
        return tensor

    def _tensor_field(self, item: Field, tensor: TensorRecord) -> None:
        if item.number == 1:
            tensor.dims += self._source.integers(item)
        elif item.number == 2:
            tensor.code = item.value
        elif item.number == 8:
            tensor.name = self._source.text(item)
        elif item.number == 12:
            tensor.doc_string = self._source.text(item)
        elif item.number == 13:
            tensor.location.update([self._entry(item)])
        elif item.number == 14:
            tensor.outside = item.value == _EXTERNAL

    def _entry(self, at: Field) -> tuple[str, str]:
        texts = {1: "", 2: ""}
        for item in self._source.fields(at.start, at.end):
            if item.number in texts and item.wire_type == LENGTH:
                texts[item.number] = self._source.text(item)
        return texts[1], texts[2]

    def _first_text(self, at: Field) -> str:
        named = [
            item for item in self._source.fields(at.start, at.end) if item.number == 1 and item.wire_type == LENGTH
        ]
        return self._source.text(named[-1]) if named else ""


def _domain(text: str) -> str:
    return "" if text == "ai.onnx" else text
