"""Numbers that a graph may have: shape inference of foreign models is believed only within them."""

from latcast.schema import Graph, InvalidModelError

__all__ = ["check_bounds"]

LARGEST = 2**63 - 1


def check_bounds(graph: Graph) -> None:
    """Sizes, work and trips are neither negative nor above 63 bits, those of bodies included.

    Raises:
        InvalidModelError: one is; names the tensor or the node.
    """
    for spec in graph.tensors:
        if spec.shape and not 0 <= min(spec.shape) <= max(spec.shape) <= LARGEST:
            raise InvalidModelError(
                f"The tensor {spec.name!r} would have the shape {list(spec.shape)}, which no tensor has: an attribute "
                "or a size in the model is out of range. Check it with onnx.checker.check_model."
            )
    for index, node in enumerate(graph.nodes):
        work = (node.macs, node.flops, node.parameter_bytes, node.input_bytes, node.output_bytes, node.trips)
        if not 0 <= min(work) <= max(work) <= LARGEST:
            raise InvalidModelError(
                f"Node {index} ({node.operator}) would do more work than 63 bits can tell, or less than none: an "
                "attribute or a size in the model is out of range. Check it with onnx.checker.check_model."
            )
        for body in node.bodies:
            check_bounds(body)
