"""ONNX bytes to graphs: safe loading, shape inference, work of each node, content hash, weight stripping."""

from profilers.onnx_graph.external import inline_external_data
from profilers.onnx_graph.isolated.loader import GraphLoader
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.placeholders import Role, placeholder
from profilers.onnx_graph.reading import bind_shapes, load_graph
from profilers.onnx_graph.weights import refill_weights, strip_weights

__all__ = [
    "GraphLoader",
    "Limits",
    "Role",
    "bind_shapes",
    "inline_external_data",
    "load_graph",
    "placeholder",
    "refill_weights",
    "strip_weights",
]
