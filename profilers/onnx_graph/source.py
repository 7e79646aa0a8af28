"""A model as plain records: what later passes need of its protocol buffers, read once.

An access to a protocol buffer from Python takes much longer than one to an object, and every node is looked at by
several passes. What is changed in place (inputs that are bound, weights that are taken out) is reached by `proto`.
"""

from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from math import prod
from typing import NamedTuple

from onnx import FunctionProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

from latcast.onnx_files.usage import FLOATS, Role
from latcast.schema import Attribute
from profilers.onnx_graph.constants import Array, has_values, small_array, stored_values
from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.long_lists import LongList
from profilers.onnx_graph.placeholders import role_of
from profilers.onnx_graph.trees import tree_counts

__all__ = ["Operation", "Plain", "Source", "SourceFunction", "SourceGraph", "SourceNode", "SourceTensor", "walk_graphs"]

Plain = Attribute | LongList
"""The value of an attribute that is a number, a text or a list of them."""

_SMALL_KEY = 32


class SourceTensor:
    """An initializer, or a tensor in an attribute.

    Args:
        proto: checked.
        name: of the tensor.
        dims: its sizes.
    """

    def __init__(self, proto: TensorProto, name: str, dims: tuple[int, ...]) -> None:
        self.proto, self.name, self.dims = proto, name, dims
        self.dtype = dtype_name(proto.data_type)
        self.elements = prod(dims)
        self.filled = has_values(proto, self.dtype)
        """Whether it holds values; a placeholder holds none."""

    @property
    def role(self) -> Role | None:
        """With what it is refilled; None for one that was never stripped."""
        return role_of(self.proto)

    @property
    def is_float(self) -> bool:
        """Whether its values are arbitrary, as those of weights are."""
        return self.dtype in FLOATS

    @property
    def key(self) -> Hashable:
        """What small tensors of one type and shape differ by; None for one that is large, or has no values."""
        return stored_values(self.proto, self.dtype) if self.filled and self.elements <= _SMALL_KEY else None

    @cached_property
    def data(self) -> Array | None:
        """Values of a small constant."""
        known = self.filled or not self.elements
        return small_array(self.proto, self.dtype, self.elements) if known else None


class Operation:
    """What a node does: operator and attributes; nodes that do the same may share one.

    Args:
        operator: its type.
        domain: `""` for ai.onnx.
        plain: attributes that are numbers, strings and lists of them.
        tensors: attributes that are constant tensors.
        bodies: attributes that are subgraphs, in the order of their names.
        graphs: all subgraphs, in the file's order.
        other: names of attributes of kinds that no known operator uses (types, sparse tensors, lists).
        fault: what is wrong with the attributes; functions may hold what a graph may not.
        shared: nodes that do the same have this very object.

    Besides, the hash sets `encoded`.
    """

    def __init__(
        self,
        operator: str,
        domain: str,
        *,
        plain: dict[str, Plain],
        tensors: Mapping[str, SourceTensor],
        bodies: "tuple[tuple[str, SourceGraph], ...]" = (),
        graphs: "tuple[SourceGraph, ...]" = (),
        other: tuple[str, ...] = (),
        fault: str = "",
        shared: bool = False,
    ) -> None:
        self.operator, self.domain, self.fault = operator, "" if domain == "ai.onnx" else domain, fault
        self.plain, self.tensors, self.other = plain, tensors, other
        self.bodies, self.graphs = bodies, graphs
        self.shared = shared
        self.encoded = b""

    @cached_property
    def long(self) -> bool:
        """Whether an attribute is a long list."""
        return any(isinstance(value, LongList) for value in self.plain.values())

    @property
    def recorded(self) -> dict[str, Attribute]:
        """The attributes as a graph's record has them: without long lists, of which trees and nodes are counted."""
        if not self.long:
            return self.plain  # type: ignore[return-value]  # no value is a long list
        short = {name: value for name, value in self.plain.items() if not isinstance(value, LongList)}
        return short | tree_counts(self.plain)

    @property
    def is_constant(self) -> bool:
        """Whether this is ai.onnx's Constant."""
        return self.operator == "Constant" and not self.domain


class SourceNode:
    """A node; an omitted input or output has an empty name."""

    __slots__ = ("inputs", "name", "operation", "outputs", "proto")

    def __init__(
        self, operation: Operation, name: str, inputs: list[str], outputs: list[str], proto: NodeProto
    ) -> None:
        self.operation, self.name, self.inputs, self.outputs, self.proto = operation, name, inputs, outputs, proto


class SourceGraph(NamedTuple):
    """A graph or body."""

    inputs: list[ValueInfoProto]
    outputs: list[ValueInfoProto]
    value_info: list[ValueInfoProto]
    nodes: list[SourceNode]
    tensors: list[SourceTensor]
    sparse: list[SparseTensorProto]

    @property
    def fed(self) -> list[ValueInfoProto]:
        """Inputs that a caller feeds: those that are no initializers."""
        stored = self._stored
        return [info for info in self.inputs if info.name not in stored]

    @property
    def overridable(self) -> frozenset[str]:
        """Names of the initializers that are inputs as well."""
        stored = self._stored
        return frozenset(info.name for info in self.inputs if info.name in stored)

    @property
    def _stored(self) -> set[str]:
        return {*(tensor.name for tensor in self.tensors), *(sparse.values.name for sparse in self.sparse)}


class SourceFunction(NamedTuple):
    """A local function."""

    proto: FunctionProto
    nodes: list[SourceNode]

    @property
    def domain(self) -> str:
        """Domain of the operator that it defines."""
        domain: str = self.proto.domain
        return "" if domain == "ai.onnx" else domain

    @property
    def name(self) -> str:
        """Operator that it defines."""
        name: str = self.proto.name
        return name


class Source(NamedTuple):
    """A model within the limits."""

    proto: ModelProto
    graph: SourceGraph
    functions: list[SourceFunction]


def walk_graphs(graph: SourceGraph) -> Iterator[SourceGraph]:
    """The graph and every body inside it, each before the bodies it holds."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield current
        for node in current.nodes:
            pending.extend(node.operation.graphs)
