"""Makes the schema's records of tensors and nodes, thousands for a model, in a third of their constructors' time.

A frozen record's constructor looks every field up and sets it through `object.__setattr__`; here the fields' own
descriptors set them.
"""

from typing import Any

from latcast.schema import Attribute, Graph, Node, TensorSpec

__all__ = ["make_node", "make_tensor"]

_new = object.__new__
_NAME, _DTYPE, _SHAPE = (vars(TensorSpec)[field].__set__ for field in ("name", "dtype", "shape"))
(_OPERATOR, _DOMAIN, _INPUTS, _OUTPUTS, _ATTRIBUTES, _MACS, _FLOPS, _PARAMETER_BYTES, _INPUT_BYTES, _OUTPUT_BYTES,
 _BODIES, _TRIPS, _NODE_NAME) = (vars(Node)[field].__set__ for field in (
     "operator", "domain", "inputs", "outputs", "attributes", "macs", "flops", "parameter_bytes", "input_bytes",
     "output_bytes", "bodies", "trips", "name"))  # fmt: skip


def make_tensor(name: str, dtype: str, shape: tuple[int, ...] | None) -> TensorSpec:
    """`TensorSpec(name=name, dtype=dtype, shape=shape)`."""
    spec = _new(TensorSpec)
    _NAME(spec, name)
    _DTYPE(spec, dtype)
    _SHAPE(spec, shape)
    return spec


def make_node(
    *,
    operator: str,
    domain: str,
    name: str,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    attributes: dict[str, Attribute],
    work: Any,
    bodies: tuple[Graph, ...],
    trips: int,
) -> Node:
    """`Node(...)`; `work` is its macs, flops, and bytes of parameters, inputs and outputs."""
    node = _new(Node)
    _OPERATOR(node, operator)
    _DOMAIN(node, domain)
    _INPUTS(node, inputs)
    _OUTPUTS(node, outputs)
    _ATTRIBUTES(node, attributes)
    macs, flops, parameter_bytes, input_bytes, output_bytes = work
    _MACS(node, macs)
    _FLOPS(node, flops)
    _PARAMETER_BYTES(node, parameter_bytes)
    _INPUT_BYTES(node, input_bytes)
    _OUTPUT_BYTES(node, output_bytes)
    _BODIES(node, bodies)
    _TRIPS(node, trips)
    _NODE_NAME(node, name)
    return node
