"""Probe graphs, bound by computing, moving bytes, or launching kernels: their forecasts give a predictor's peak rates.

They are records equal to those that `profilers.onnx_graph` would read, so that explaining a forecast needs no ONNX.
"""

from functools import cache
from math import prod

from latcast.schema import Graph, Node, TensorSpec

__all__ = ["LAUNCHES", "PRODUCT", "SUM_BYTES", "launch_graph", "product_graph", "sum_graph"]

PRODUCT = (512, 1024, 1024)
"""Rows, inner size and columns of the product."""
SUM_BYTES = 2**24
"""Bytes of each of the two summands, and of their sum."""
LAUNCHES = 64
"""Number of kernels of `launch_graph`."""

_OPSET = 17
_FLOAT_BYTES = 4
_FLOPS = {"Tanh": 12, "Softmax": 14}
"""Floating-point operations on each element, by operator."""


@cache
def product_graph() -> Graph:
    """One matrix product with a constant matrix, bound by computing."""
    rows, inner, columns = PRODUCT
    macs = rows * inner * columns
    tensors = (_tensor("x", rows, inner), _tensor("weight_0", inner, columns), _tensor("MatMul_0", rows, columns))
    return _graph(tensors, (_node("MatMul", tensors, (0, 1), 2, macs=macs, flops=2 * macs, constant=1),), (0,), {1})


@cache
def sum_graph() -> Graph:
    """The sum of two large tensors, bound by moving bytes."""
    shape = (SUM_BYTES // 4096, 4096 // _FLOAT_BYTES)
    tensors = (_tensor("x", *shape), _tensor("y", *shape), _tensor("Add_0", *shape))
    return _graph(tensors, (_node("Add", tensors, (0, 1), 2, flops=prod(shape)),), (0, 1))


@cache
def launch_graph() -> Graph:
    """A chain of tiny kernels, bound by launching them."""
    operators = ["Softmax" if index % 2 else "Tanh" for index in range(LAUNCHES)]
    names = ["x", *(f"{operator}_{index}" for index, operator in enumerate(operators))]
    tensors = tuple(_tensor(name, 1, 8) for name in names)
    nodes = tuple(
        _node(operator, tensors, (index,), index + 1, flops=8 * _FLOPS[operator])
        for index, operator in enumerate(operators)
    )
    return _graph(tensors, nodes, (0,))


def _tensor(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=shape)


def _node(
    operator: str,
    tensors: tuple[TensorSpec, ...],
    inputs: tuple[int, ...],
    output: int,
    *,
    flops: int,
    macs: int = 0,
    constant: int = -1,
) -> Node:
    """A node named after its output; `constant` is the input that is a parameter."""
    size = [_FLOAT_BYTES * prod(tensor.shape or ()) for tensor in tensors]
    return Node(
        operator=operator,
        domain="",
        name=tensors[output].name,
        inputs=inputs,
        outputs=(output,),
        attributes={},
        macs=macs,
        flops=flops,
        parameter_bytes=size[constant] if constant >= 0 else 0,
        input_bytes=sum(size[index] for index in inputs if index != constant),
        output_bytes=size[output],
    )


def _graph(
    tensors: tuple[TensorSpec, ...],
    nodes: tuple[Node, ...],
    inputs: tuple[int, ...],
    constants: frozenset[int] | set[int] = frozenset(),
) -> Graph:
    return Graph(
        hash=f"probe-{nodes[0].operator}",
        tensors=tensors,
        inputs=inputs,
        outputs=nodes[-1].outputs,
        initializers=frozenset(constants),
        nodes=nodes,
        opset=_OPSET,
    )
