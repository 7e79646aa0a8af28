"""ONNX bytes to graphs: safe loading, shape inference, work of each node, content hash, weight stripping."""

from profilers.onnx_graph.placeholders import Role, placeholder

__all__ = ["Role", "placeholder"]
