"""Graphs for the suite, built as records without ONNX or search spaces.

The networks are small convolutional ones (chains, residual blocks, depthwise blocks, a classifier), with shapes and
work as `profilers.onnx_graph` would report them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from latcast.schema import Attribute, Graph, Node, TensorSpec

__all__ = ["GraphBuilder", "foreign_graph", "random_graph", "shuffled"]


class GraphBuilder:
    """Builds a graph node by node and counts the work of each; tensors are indices, shapes are NCHW."""

    def __init__(self) -> None:
        self._tensors: list[TensorSpec] = []
        self._nodes: list[Node] = []
        self._inputs: list[int] = []
        self._constants: set[int] = set()

    def input(self, *shape: int) -> int:
        """Add a float32 input to the graph; returns its index."""
        index = self._tensor(shape)
        self._inputs.append(index)
        return index

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        shape = self._tensors[tensor].shape
        assert shape is not None
        return shape

    def conv(self, x: int, channels: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> int:
        """Append a convolution with bias and "same" padding; returns its output."""
        batch, depth, height, width = self.shape(x)
        out = (batch, channels, -(-height // stride), -(-width // stride))
        weight, bias = self._constant(channels, depth // groups, kernel, kernel), self._constant(channels)
        attributes: dict[str, Attribute] = {
            "group": groups, "kernel_shape": (kernel, kernel), "strides": (stride, stride), "pads": (kernel // 2,) * 4,
        }  # fmt: skip
        macs = prod(out) * (depth // groups) * kernel * kernel
        return self.node("Conv", (x, weight, bias), out, attributes, macs=macs, flops=2 * macs + prod(out))

    def relu(self, x: int) -> int:
        """Append a rectified linear unit; returns its output."""
        return self.node("Relu", (x,), self.shape(x), flops=prod(self.shape(x)))

    def add(self, x: int, y: int) -> int:
        """Append the sum of two tensors of one shape; returns its output."""
        return self.node("Add", (x, y), self.shape(x), flops=prod(self.shape(x)))

    def max_pool(self, x: int) -> int:
        """Append a 2×2 pooling with stride 2; returns its output."""
        batch, depth, height, width = self.shape(x)
        out = (batch, depth, max(1, height // 2), max(1, width // 2))
        attributes: dict[str, Attribute] = {"kernel_shape": (2, 2), "strides": (2, 2)}
        return self.node("MaxPool", (x,), out, attributes, flops=4 * prod(out))

    def classifier(self, x: int, classes: int) -> int:
        """Append global average pooling, flattening and a dense layer; returns its output."""
        batch, depth, _, _ = self.shape(x)
        pooled = self.node("GlobalAveragePool", (x,), (batch, depth, 1, 1), flops=prod(self.shape(x)))
        flat = self.node("Flatten", (pooled,), (batch, depth), {"axis": 1})
        macs = batch * depth * classes
        weight, bias = self._constant(depth, classes), self._constant(classes)
        return self.node("Gemm", (flat, weight, bias), (batch, classes), macs=macs, flops=2 * macs + batch * classes)

    def node(
        self,
        operator: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        attributes: Mapping[str, Attribute] | None = None,
        *,
        domain: str = "",
        macs: int = 0,
        flops: int = 0,
    ) -> int:
        """Append a node with one output; returns the output."""
        output = self._tensor(shape)
        constants = [i for i in inputs if i in self._constants]
        self._nodes.append(
            Node(
                operator=operator,
                domain=domain,
                inputs=tuple(inputs),
                outputs=(output,),
                attributes=dict(attributes or {}),
                macs=macs,
                flops=flops,
                parameter_bytes=sum(self._tensors[i].size_bytes for i in constants),
                input_bytes=sum(self._tensors[i].size_bytes for i in inputs if i not in self._constants),
                output_bytes=self._tensors[output].size_bytes,
                name=f"node{len(self._nodes)}",
            )
        )
        return output

    def build(self, *outputs: int) -> Graph:
        """The graph, hashed over all of its content."""
        content = [[node.operator, node.inputs, node.outputs, sorted(node.attributes.items())] for node in self._nodes]
        shapes = [tensor.shape for tensor in self._tensors]
        digest = hashlib.sha256(json.dumps([content, shapes, outputs]).encode()).hexdigest()
        return Graph(
            hash=f"g1-{digest}",
            tensors=tuple(self._tensors),
            inputs=tuple(self._inputs),
            outputs=outputs,
            initializers=frozenset(self._constants),
            nodes=tuple(self._nodes),
            opset=21,
        )

    def _constant(self, *shape: int) -> int:
        index = self._tensor(shape)
        self._constants.add(index)
        return index

    def _tensor(self, shape: Sequence[int]) -> int:
        name = f"t{len(self._tensors)}"
        self._tensors.append(TensorSpec(name=name, dtype="float32", shape=tuple(int(size) for size in shape)))
        return len(self._tensors) - 1


def random_graph(rng: np.random.Generator) -> Graph:
    """A random small convolutional network of 1e6 to 1e10 FLOPs and 9 to 70 nodes."""
    builder = GraphBuilder()
    channels = int(rng.choice((8, 16, 24, 32)))
    x = builder.input(1, 3, *(int(rng.choice((32, 48, 64, 96))),) * 2)
    x = builder.relu(builder.conv(x, channels, stride=int(rng.integers(1, 3))))
    for _ in range(int(rng.integers(1, 5))):
        channels = int(channels * rng.choice((1, 1.5, 2)))
        x = _stage(builder, x, channels, rng)
    return builder.build(builder.classifier(x, int(rng.choice((10, 100, 1000)))))


def _stage(builder: GraphBuilder, x: int, channels: int, rng: np.random.Generator) -> int:
    block = (_plain_block, _residual_block, _depthwise_block)[int(rng.integers(3))]
    x = builder.relu(builder.conv(x, channels, kernel=1))
    for _ in range(int(rng.integers(1, 4))):
        x = block(builder, x, int(rng.choice((3, 5))))
    return builder.max_pool(x) if rng.random() < 0.7 else x


def _plain_block(builder: GraphBuilder, x: int, kernel: int) -> int:
    return builder.relu(builder.conv(x, builder.shape(x)[1], kernel=kernel))


def _residual_block(builder: GraphBuilder, x: int, kernel: int) -> int:
    inner = _plain_block(builder, x, kernel)
    return builder.relu(builder.add(x, builder.conv(inner, builder.shape(x)[1], kernel=kernel)))


def _depthwise_block(builder: GraphBuilder, x: int, kernel: int) -> int:
    channels = builder.shape(x)[1]
    inner = builder.relu(builder.conv(x, channels, kernel=kernel, groups=channels))
    return builder.relu(builder.conv(inner, channels, kernel=1))


def foreign_graph(share: float = 1.0) -> Graph:
    """A network whose cost lies in an operator that the suite's other graphs lack.

    Args:
        share: share of its nodes that are foreign, 0–1.
    """
    builder = GraphBuilder()
    x = builder.relu(builder.conv(builder.input(1, 3, 32, 32), 16))
    for step in range(10):
        if step < 10 * share:
            x = builder.node("Sinkhorn", (x,), builder.shape(x), domain="org.example", flops=10**7)
        else:
            x = builder.relu(builder.conv(x, 16))
    return builder.build(builder.classifier(x, 10))


def shuffled(graph: Graph, rng: np.random.Generator) -> Graph:
    """The same computation with other names, tensors in another order, and nodes in another topological order.

    The hash differs too, so that no cache can hide a difference.
    """
    tensor_order = rng.permutation(len(graph.tensors))
    position = {int(old): new for new, old in enumerate(tensor_order)}
    nodes = [_renumbered(graph.nodes[index], position) for index in _topological(graph, rng)]
    salt = str(rng.integers(2**62))
    return replace(
        graph,
        hash="g1-" + hashlib.sha256((graph.hash + salt).encode()).hexdigest(),
        tensors=tuple(replace(graph.tensors[int(old)], name=f"r{salt}_{old}") for old in tensor_order),
        inputs=tuple(position[i] for i in graph.inputs),
        outputs=tuple(position[i] for i in graph.outputs),
        initializers=frozenset(position[i] for i in graph.initializers),
        nodes=tuple(replace(node, name=f"n{salt}_{index}") for index, node in enumerate(nodes)),
    )


def _renumbered(node: Node, position: Mapping[int, int]) -> Node:
    inputs = tuple(position.get(i, -1) for i in node.inputs)
    return replace(node, inputs=inputs, outputs=tuple(position.get(i, -1) for i in node.outputs))


def _topological(graph: Graph, rng: np.random.Generator) -> list[int]:
    ready = {*graph.inputs, *graph.initializers}
    waiting, order = set(range(len(graph.nodes))), []
    while waiting:
        free = sorted(i for i in waiting if all(t in ready or t < 0 for t in graph.nodes[i].inputs))
        chosen = int(rng.choice(free))
        order.append(chosen)
        waiting.remove(chosen)
        ready.update(graph.nodes[chosen].outputs)
    return order
