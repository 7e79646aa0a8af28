"""Names of nodes that lead back to a model, through whatever a runtime appends to them."""

import re

import onnx

from profilers.quantisation import original_tensors

__all__ = ["name_nodes_by_position", "position", "produced"]

POSITION = re.compile(r"^latcast_(\d+)(?!\d)")


def name_nodes_by_position(model: bytes) -> tuple[bytes, tuple[onnx.NodeProto, ...]]:
    """The model with every node named after its position, and the nodes; a name holds nothing to separate it at."""
    proto = onnx.load_model_from_string(model)
    for index, node in enumerate(proto.graph.node):
        node.name = f"latcast_{index}"
    return proto.SerializeToString(), tuple(proto.graph.node)


def produced(node: onnx.NodeProto) -> tuple[str, ...]:
    """Names of the tensors that a node produces; what quantisation added is called after the tensor it belongs to."""
    return original_tensors(filter(None, node.output))


def position(name: str) -> int | None:
    """The position of the node that a name begins with; None for another name."""
    match = POSITION.match(name)
    return int(match[1]) if match else None
