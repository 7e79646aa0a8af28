"""Recorded graphs as protocol buffers: the only part of the search spaces that needs `onnx`.

`GraphBuilder` imports it when a model is written, so that texts are parsed, drawn and encoded without it.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from profilers.onnx_graph import placeholder
from profilers.search_spaces.recorded import Recorded, RecordedNode, Tensor

__all__ = ["model_bytes"]

ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32,
                 "bool": TensorProto.BOOL, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}  # fmt: skip
MAX_CACHED = 16
"""Longer attributes, as those of tree ensembles, are made anew each time."""
DOMAIN_VERSIONS = {"com.microsoft": 1, "ai.onnx.ml": 3}


def model_bytes(graph: Recorded) -> bytes:
    """The model, serialised; weights are placeholders."""
    domains = sorted({node.domain for node in graph.nodes} - {""})
    opsets = [helper.make_opsetid("", graph.opset)]
    opsets += [helper.make_opsetid(domain, DOMAIN_VERSIONS[domain]) for domain in domains]
    model = ModelProto(
        ir_version=_ir_version(graph.opset),
        producer_name="latcast",
        graph=_graph(graph),
        opset_import=opsets,
    )
    return bytes(model.SerializeToString(deterministic=True))


def _graph(graph: Recorded) -> GraphProto:
    """The graph alone, as models and bodies hold it."""
    proto = GraphProto(
        name=graph.name,
        node=[_node(node) for node in graph.nodes],
        input=[_value_info(tensor) for tensor in graph.inputs],
        output=[_value_info(tensor) for tensor in graph.outputs],
        initializer=[placeholder(name, shape, role=role, dtype=dtype) for name, shape, role, dtype in graph.weights],
    )
    proto.initializer.extend(numpy_helper.from_array(array, name) for name, array in graph.constants)
    return proto


@cache
def _ir_version(opset: int) -> int:
    return helper.find_min_ir_version_for([helper.make_opsetid("", opset)])


def _node(node: RecordedNode) -> NodeProto:
    operator, inputs, outputs, attributes, domain = node
    written = [_attribute(name, value) for name, value in attributes.items()]
    return NodeProto(op_type=operator, name=outputs[0], input=inputs, output=outputs, attribute=written, domain=domain)


def _attribute(name: str, value: Any) -> AttributeProto:
    if isinstance(value, Recorded):
        return AttributeProto(name=name, type=AttributeProto.GRAPH, g=_graph(value))
    if isinstance(value, np.ndarray):
        return AttributeProto(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(value))
    plain = tuple(value) if isinstance(value, list) else value
    if isinstance(plain, tuple) and len(plain) > MAX_CACHED:
        return _plain_attribute.__wrapped__(name, plain)
    return _plain_attribute(name, plain)


@lru_cache(maxsize=4096, typed=True)  # typed: 1 and 1.0 are different attributes
def _plain_attribute(name: str, value: Any) -> AttributeProto:
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        return AttributeProto(name=name, type=AttributeProto.INTS, ints=value)
    return helper.make_attribute(name, value)


def _value_info(tensor: Tensor) -> ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, ELEMENT_TYPES[tensor.dtype], tensor.shape)
