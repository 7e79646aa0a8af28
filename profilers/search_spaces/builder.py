"""Writes ONNX graphs quickly: records nodes with their static shapes; protocol buffers are made at the end.

Recording is cheap and counts work as it goes, so that a generator can ask what a network costs before writing it.
Weights are placeholders (`profilers.onnx_graph.placeholder`): a model of 100 MB is written in a few kilobytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from profilers.search_spaces.recorded import Recorded, RecordedNode, RecordedWeight, Tensor

if TYPE_CHECKING:
    from profilers.onnx_graph import Role

__all__ = ["GraphBuilder", "Style", "Tensor"]

ELEMENT_BYTES = {"float32": 4, "int64": 8, "int32": 4, "bool": 1, "int8": 1, "uint8": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How an exporter would have written the network.

    Args:
        opset: version of the ai.onnx opset, 11 to 20.
        fold_batch_norm: batch normalisation folded into the convolution's weights, else a node of its own.
        constant_nodes: constants as Constant nodes, else as initializers.
        shape_chains: target shapes computed from Shape nodes, as tracing exporters write them, else constant.
        matmul_linear: linear layers as MatMul and Add, else Gemm where the input is a matrix.
        mean_pool: global pooling as ReduceMean, else GlobalAveragePool.
        parts: composite functions (hard-swish, GELU, layer normalisation, Mish) spelled out in elementary operators
            even where the opset has an operator for them.
    """

    opset: int = 17
    fold_batch_norm: bool = False
    constant_nodes: bool = False
    shape_chains: bool = False
    matmul_linear: bool = False
    mean_pool: bool = False
    parts: bool = False


class GraphBuilder:
    """One graph under construction; not shared between threads.

    Attributes:
        macs: multiply-accumulates of the matrix-like operators so far.
        parameter_bytes, activation_bytes: bytes of weights and of all values written so far.
    """

    def __init__(self, name: str, style: Style | None = None, *, prefix: str = "") -> None:
        self.name = name
        self._prefix = prefix
        self.style = style or Style()
        self.macs = 0
        self.parameter_bytes = 0
        self.activation_bytes = 0
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._nodes: list[RecordedNode] = []
        self._weights: list[RecordedWeight] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        self._initializers: list[tuple[str, np.ndarray[Any, Any]]] = []
        self._bodies = 0

    def input(self, name: str, shape: Sequence[int], *, dtype: str = "float32") -> Tensor:
        """A graph input."""
        tensor = Tensor(name, tuple(shape), dtype)
        self._inputs.append(tensor)
        self.activation_bytes += ELEMENT_BYTES[dtype] * tensor.elements
        return tensor

    def output(self, tensor: Tensor) -> None:
        """Declare a graph output."""
        self._outputs.append(tensor)

    def weight(self, *shape: int, role: "Role" = "normal", dtype: str = "float32") -> Tensor:
        """A parameter whose values come later, float32 or quantised; see `profilers.onnx_graph.Role`."""
        name = f"{self._prefix}weight_{len(self._weights)}"
        self._weights.append(RecordedWeight(name, shape, role if dtype == "float32" else "uniform", dtype))
        self.parameter_bytes += ELEMENT_BYTES[dtype] * prod(shape)
        return Tensor(name, shape, dtype)

    def constant(self, value: Any, dtype: str = "int64") -> Tensor:
        """A small constant with its values; equal ones are written once unless the style wants Constant nodes."""
        array = np.asarray(value, dtype)
        key = (dtype, array.shape, array.tobytes())
        if self.style.constant_nodes:
            name = f"{self._prefix}constant_{len(self._nodes)}"
            self._nodes.append(RecordedNode("Constant", (), (name,), {"value": array}, ""))
            return Tensor(name, array.shape, dtype)
        if key not in self._constants:
            name = f"{self._prefix}constant_{len(self._constants)}"
            self._constants[key] = Tensor(name, array.shape, dtype)
            self._initializers.append((name, array))
        return self._constants[key]

    def scalar(self, value: float) -> Tensor:
        """A float32 constant without axes."""
        return self.constant(value, "float32")

    def op(
        self,
        operator: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int] | None = None,
        *,
        dtype: str = "float32",
        macs: int = 0,
        domain: str = "",
        **attributes: Any,
    ) -> Tensor:
        """One node with one output; its shape is that of the first input unless given. None is an omitted input."""
        if shape is None:
            first = inputs[0]
            shape = first.shape if first is not None else ()
        return self.ops(operator, inputs, [shape], dtype=dtype, macs=macs, domain=domain, **attributes)[0]

    def ops(
        self,
        operator: str,
        inputs: Sequence[Tensor | None],
        shapes: Sequence[Sequence[int]],
        *,
        dtype: str | Sequence[str] = "float32",
        macs: int = 0,
        domain: str = "",
        **attributes: Any,
    ) -> tuple[Tensor, ...]:
        """One node with as many outputs as there are shapes, of one type or of one each; bodies are builders."""
        stem = f"{self._prefix}{operator}_{len(self._nodes)}"
        types = (dtype,) * len(shapes) if isinstance(dtype, str) else tuple(dtype)
        names = (stem,) if len(shapes) == 1 else tuple(f"{stem}_{index}" for index in range(len(shapes)))
        read = tuple(item.name if item else "" for item in inputs)
        self._nodes.append(RecordedNode(operator, read, names, attributes, domain))
        outputs = tuple(Tensor(*item) for item in zip(names, map(tuple, shapes), types, strict=True))
        self.macs += macs
        self.activation_bytes += sum(ELEMENT_BYTES[tensor.dtype] * tensor.elements for tensor in outputs)
        return outputs

    def body(self) -> "GraphBuilder":
        """An empty body for If, Loop or Scan, an attribute of `op` later; it may read this graph's tensors."""
        self._bodies += 1
        return GraphBuilder(f"body_{self._bodies}", self.style, prefix=f"{self._prefix}body_{self._bodies}_")

    def recorded(self) -> Recorded:
        """The graph so far; bodies among the attributes are recorded graphs too."""
        nodes = [
            node._replace(attributes={name: _without_builder(value) for name, value in node.attributes.items()})
            for node in self._nodes
        ]
        return Recorded(
            self.name, self.style.opset, nodes, self._inputs, self._outputs, self._weights, self._initializers
        )

    def to_bytes(self) -> bytes:
        """The model, serialised; weights are placeholders. Needs `onnx`, which recording does not."""
        from profilers.search_spaces.onnx_writer import model_bytes

        return model_bytes(self.recorded())


def _without_builder(value: Any) -> Any:
    return value.recorded() if isinstance(value, GraphBuilder) else value
