"""Names of nodes that lead back to a model, through whatever a runtime appends to them."""

import re

import onnx

from profilers.quantization import original_tensors

__all__ = ["Outputs", "name_nodes_by_position", "position"]

Outputs = tuple[tuple[str, ...], ...]
"""Of each node of the model, in its order."""

POSITION = re.compile(r"^latcast_(\d+)(?!\d)")


def name_nodes_by_position(model: bytes) -> tuple[bytes, Outputs]:
    """The model with every node named after its position, and what each node produces.

    Such names hold nothing that a runtime could take for a separator; tensors that quantisation added are called after
    the tensor that they belong to.
    """
    proto = onnx.load_model_from_string(model)
    for index, node in enumerate(proto.graph.node):
        node.name = f"latcast_{index}"
    return proto.SerializeToString(), tuple(original_tensors(filter(None, node.output)) for node in proto.graph.node)


def position(name: str) -> int | None:
    """Of the node that a name begins with; None for another name."""
    match = POSITION.match(name)
    return int(match[1]) if match else None
