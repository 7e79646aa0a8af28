"""ONNX bytes to graphs: safe loading, shape inference, work of each node, content hash, weight stripping.

The names are imported when they are first asked for: a process that leaves reading to a `GraphLoader` never imports
`onnx`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from profilers.onnx_graph.isolated.loader import GraphLoader, PreparedModel
    from profilers.onnx_graph.limits import Limits
    from profilers.onnx_graph.placeholders import Role, placeholder
    from profilers.onnx_graph.reading import bind_shapes, change_batch, load_graph
    from profilers.onnx_graph.weights import refill_weights, strip_weights, write_refilled

__all__ = [
    "GraphLoader",
    "Limits",
    "PreparedModel",
    "Role",
    "bind_shapes",
    "change_batch",
    "load_graph",
    "placeholder",
    "refill_weights",
    "strip_weights",
    "write_refilled",
]

_MODULES = {
    "GraphLoader": "isolated.loader",
    "Limits": "limits",
    "PreparedModel": "isolated.loader",
    "Role": "placeholders",
    "bind_shapes": "reading",
    "change_batch": "reading",
    "load_graph": "reading",
    "placeholder": "placeholders",
    "refill_weights": "weights",
    "strip_weights": "weights",
    "write_refilled": "weights",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
