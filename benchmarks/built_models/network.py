"""The network that a builder gives, and short ways to build one by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

__all__ = ["Array", "Builder", "Built", "normal", "reseeded", "to_graph", "to_model", "value"]

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A network with fixed shapes.

    Args:
        model: the network.
        feeds: exact inputs, where their values decide what runs; else they are generated.
    """

    model: ModelProto
    feeds: Mapping[str, Array] = field(default_factory=dict)


Builder = Callable[[], Built]

_streams = [np.random.default_rng(0)]
"""The one stream that weights are drawn from."""


def reseeded(builders: Mapping[str, Builder]) -> Mapping[str, Builder]:
    """The builders, each with the same random weights however often, and in which order, they are called."""

    def reseed(build: Builder) -> Builder:
        def build_again() -> Built:
            _streams[:] = [np.random.default_rng(0)]
            return build()

        return build_again

    return {name: reseed(build) for name, build in builders.items()}


def normal(*shape: int) -> NDArray[np.float32]:
    """Random weights of standard deviation 1/√(fan-in), float32."""
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:])) if len(shape) > 2 else 1
    return (_streams[0].standard_normal(shape) * max(1, fan_in) ** -0.5).astype(np.float32)


def value(name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    """An input or a result of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)


def to_graph(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    weights: Mapping[str, Array] | None = None,
) -> GraphProto:
    """A graph whose initializers are these arrays."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    return helper.make_graph(list(nodes), "network", list(inputs), list(outputs), tensors)


def to_model(graph: GraphProto, opset: int = 17, **domains: int) -> ModelProto:
    """A model of that opset; further domains have underscores for dots."""
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name.replace("_", "."), version) for name, version in domains.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)
