"""What an ONNX model declares of its inputs and outputs, for runtimes that do not tell."""

import onnx

from latcast.schema import InvalidModelError, TensorSpec

__all__ = ["declared_tensors", "parsed_graph"]


def parsed_graph(model: bytes, runtime: str) -> onnx.GraphProto:
    """The graph of an ONNX model.

    Args:
        model: the whole model.
        runtime: name, for people, of the runtime that wants it.

    Raises:
        InvalidModelError: the bytes are not a model, or one without nodes.
    """
    try:
        graph = onnx.load_model_from_string(model).graph
    except Exception as error:  # protobuf's exceptions share no base class
        raise InvalidModelError(f"{runtime} refuses the model: {error}.") from error
    if not graph.node:
        raise InvalidModelError(f"{runtime} refuses the model: it has no nodes.")
    return graph


def declared_tensors(graph: onnx.GraphProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs that have to be fed, and outputs, in the model's order; axes of unknown size count as 1."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = tuple(_spec(value) for value in graph.input if value.name not in constants)
    return inputs, tuple(_spec(value) for value in graph.output)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else ""
    return TensorSpec(name=value.name, dtype=dtype, shape=tuple(axis.dim_value or 1 for axis in tensor.shape.dim))
