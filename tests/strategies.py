"""Hypothesis strategies for networks: small, valid, runnable ONNX models of random structure."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 17
_UNARY = ("Relu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Exp", "Softmax")
_BINARY = ("Add", "Mul", "Sub", "Max")

Shape = tuple[int, ...]


class _Growing:
    """A model that grows node by node; every tensor in `pool` may be read by the next node."""

    def __init__(self, draw: st.DrawFn, shape: Shape) -> None:
        self.draw = draw
        self.nodes: list[object] = []
        self.initializers: list[TensorProto] = []
        self.pool: list[tuple[str, Shape]] = [("x", shape)]
        self._rng = np.random.default_rng(draw(st.integers(0, 2**16)))

    def weight(self, shape: Shape) -> str:
        values = (self._rng.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1))).astype(np.float32)
        return self._constant(values)

    def integers(self, *values: int) -> str:
        return self._constant(np.asarray(values, dtype=np.int64))

    def _constant(self, values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator: str, inputs: list[str], shape: Shape, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.pool.append((name, shape))
        return name

    def pick(self, fits: Callable[[Shape], bool]) -> tuple[str, Shape] | None:
        found = [item for item in self.pool if fits(item[1])]
        return self.draw(st.sampled_from(found)) if found else None


def _convolution(grow: _Growing) -> None:
    if (found := grow.pick(lambda shape: len(shape) == 4)) is None:
        return
    name, (batch, channels, height, width) = found
    groups = grow.draw(st.sampled_from([1, channels]))
    filters = groups * grow.draw(st.integers(1, 3))
    kernel, stride = grow.draw(st.sampled_from([1, 3])), grow.draw(st.sampled_from([1, 2]))
    weights = [grow.weight((filters, channels // groups, kernel, kernel)), grow.weight((filters,))]
    size = [(side - 1) // stride + 1 for side in (height, width)]
    grow.node("Conv", [name, *weights[: grow.draw(st.integers(1, 2))]], (batch, filters, size[0], size[1]),
              kernel_shape=[kernel, kernel], strides=[stride, stride],
              pads=[kernel // 2] * 4, group=groups)  # fmt: skip


def _pooling(grow: _Growing) -> None:
    if (found := grow.pick(lambda shape: len(shape) == 4 and min(shape[2:]) > 1)) is None:
        return
    name, (batch, channels, height, width) = found
    operator = grow.draw(st.sampled_from(["MaxPool", "AveragePool"]))
    shape = (batch, channels, height // 2, width // 2)
    grow.node(operator, [name], shape, kernel_shape=[2, 2], strides=[2, 2])


def _unary(grow: _Growing) -> None:
    name, shape = grow.draw(st.sampled_from(grow.pool))
    grow.node(grow.draw(st.sampled_from(_UNARY)), [name], shape)


def _binary(grow: _Growing) -> None:
    name, shape = grow.draw(st.sampled_from(grow.pool))
    same = [other for other, its in grow.pool if its == shape]
    grow.node(grow.draw(st.sampled_from(_BINARY)), [name, grow.draw(st.sampled_from(same))], shape)


def _concat(grow: _Growing) -> None:
    name, shape = grow.draw(st.sampled_from(grow.pool))
    if shape[1] <= 64:
        grow.node("Concat", [name, name], (shape[0], 2 * shape[1], *shape[2:]), axis=1)


def _reshape(grow: _Growing) -> None:
    name, shape = grow.draw(st.sampled_from(grow.pool))
    flat = int(np.prod(shape[1:]))
    grow.node("Reshape", [name, grow.integers(shape[0], -1)], (shape[0], flat))


def _transpose(grow: _Growing) -> None:
    name, shape = grow.draw(st.sampled_from(grow.pool))
    order = (0, *reversed(range(1, len(shape))))
    grow.node("Transpose", [name], tuple(shape[axis] for axis in order), perm=order)


def _matmul(grow: _Growing) -> None:
    if (found := grow.pick(lambda shape: len(shape) == 2 and shape[1] <= 4096)) is None:
        return
    name, (rows, inner) = found
    columns = grow.draw(st.integers(1, 24))
    if grow.draw(st.booleans()):
        grow.node("MatMul", [name, grow.weight((inner, columns))], (rows, columns))
    else:
        inputs = [name, grow.weight((columns, inner)), grow.weight((columns,))]
        grow.node("Gemm", inputs, (rows, columns), transB=1)


def _branch(grow: _Growing) -> None:
    """An If whose branches capture a tensor from outside."""
    name, shape = grow.draw(st.sampled_from(grow.pool))
    at = len(grow.nodes)
    total = grow.node("ReduceSum", [name], (), keepdims=0)
    grow.pool.pop()
    condition = grow.node("Greater", [total, grow.weight(())], ())
    grow.pool.pop()
    branches = {}
    for key, operator in (("then_branch", "Relu"), ("else_branch", grow.draw(st.sampled_from(_UNARY)))):
        output = f"{key}{at}"
        inner = helper.make_node(operator, [name], [output])
        info = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        branches[key] = helper.make_graph([inner], key, [], [info])
    grow.node("If", [condition], shape, **branches)


_STEPS = (_convolution, _pooling, _unary, _binary, _concat, _reshape, _transpose, _matmul, _branch)


@st.composite
def onnx_protos(draw: st.DrawFn, *, max_nodes: int = 8) -> ModelProto:
    """Valid models with one float input `x`, static shapes, 1 to about `max_nodes` nodes, and one or two outputs."""
    rank = draw(st.sampled_from([2, 4]))
    shape = tuple(draw(st.integers(1, 8)) for _ in range(rank))
    grow = _Growing(draw, shape)
    _unary(grow)
    for step in draw(st.lists(st.sampled_from(_STEPS), max_size=max_nodes - 1)):
        step(grow)
    outputs = [grow.pool[-1]]
    if draw(st.booleans()) and len(grow.pool) > 2:
        outputs.append(grow.pool[-2])
    graph = helper.make_graph(
        grow.nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, its) for name, its in outputs],
        grow.initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def onnx_models(*, max_nodes: int = 8) -> st.SearchStrategy[bytes]:
    """Serialised `onnx_protos`."""
    return onnx_protos(max_nodes=max_nodes).map(lambda proto: bytes(proto.SerializeToString()))
