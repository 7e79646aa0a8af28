"""ONNX bytes to a `Graph`."""

from latcast.onnx_files.usage import constant_uses
from latcast.schema import Graph, InvalidModelError
from profilers.onnx_graph.binding import Dims, Shapes, bind_inputs, forget_shapes
from profilers.onnx_graph.functions import inline_functions
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import parse_model
from profilers.onnx_graph.scope import Context
from profilers.onnx_graph.source import Source
from profilers.onnx_graph.values import Value
from profilers.onnx_graph.walk import walk

__all__ = ["bind_shapes", "change_batch", "load_graph"]

_DEFAULT = Limits()
_OVERRIDABLE_SINCE = 4
"""First version of the format in which an initializer that is an input too is no constant: it may be overridden."""


def load_graph(
    model: bytes, *, shapes: Shapes | None = None, dims: Dims | None = None, limits: Limits = _DEFAULT
) -> Graph:
    """The graph of an ONNX model, with static shapes, the work of each node and the content hash.

    Safe for hostile bytes as far as one process can be: nothing is read from disk, no constant is materialised, and
    every limit is checked before the work that it bounds. A service uses a `GraphLoader`, which does it in a
    limited process of its own.

    Args:
        model: a whole ONNX file, or a weight-stripped one.
        shapes: whole shape of each input that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.
        limits: caps on the model.

    Raises:
        UnboundDimensionError: dynamic dimensions that neither `shapes` nor `dims` bind.
        UnsupportedOperatorError: operators of an unknown domain or version.
        ModelLimitError: a limit is exceeded.
        InvalidModelError: anything else that is wrong with the model or the shapes.
    """
    source, symbols = _bound(model, shapes, dims, limits)
    opsets = _opset_versions(source)
    overridable = source.graph.overridable if source.proto.ir_version >= _OVERRIDABLE_SINCE else frozenset()
    context = Context(limits, opsets, constant_uses(source.graph), overridable=overridable)
    inputs = [Value.from_type(info.name, info.type) for info in source.graph.fed]
    for value in inputs:
        if not value.dtype and (value.other is None or value.other.WhichOneof("value") is None):
            raise InvalidModelError(
                f"The input {value.name!r} has no known element type: declare it in the model, as "
                "onnx.helper.make_tensor_value_info makes declarations."
            )
    try:
        return walk(source.graph, inputs, context, salt=repr(sorted(opsets.items())).encode()).graph
    except InvalidModelError as error:
        if type(error) is not InvalidModelError or not symbols:
            raise
        listed = ", ".join(f"{symbol}={size}" for symbol, size in symbols.items())
        raise InvalidModelError(f"{str(error).rstrip('.')}. The sizes were {listed}; others may fit.") from error


def bind_shapes(
    model: bytes, shapes: Shapes | None = None, *, dims: Dims | None = None, limits: Limits = _DEFAULT
) -> bytes:
    """The model with the inputs' sizes fixed; what it declares of other tensors' shapes is dropped.

    Args:
        model: a whole ONNX file, or a weight-stripped one.
        shapes: whole shape of each input that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.
        limits: caps on the model.

    Raises:
        InvalidModelError: as `load_graph`.
    """
    source = parse_model(model, limits)
    bind_inputs(source.graph.fed, shapes, dims)
    forget_shapes(source)
    return bytes(source.proto.SerializeToString())


def change_batch(model: bytes, batch: int, *, limits: Limits = _DEFAULT) -> bytes:
    """The model with another batch size: the first dimension of all its inputs; what has it comes back as it is.

    Args:
        model: a whole ONNX file, or a weight-stripped one.
        batch: size of the first dimension.
        limits: caps on the model.

    Raises:
        InvalidModelError: as `load_graph`.
    """
    source = parse_model(model, limits)
    shapes = [info.type.tensor_type.shape for info in source.graph.fed]
    if all(shape.dim and shape.dim[0].dim_value == batch for shape in shapes):
        return model
    for shape in shapes:
        if shape.dim:
            shape.dim[0].dim_value = batch
    forget_shapes(source)
    return bytes(source.proto.SerializeToString())


def _bound(model: bytes, shapes: Shapes | None, dims: Dims | None, limits: Limits) -> tuple[Source, dict[str, int]]:
    """The model with its inputs bound, and the sizes of symbols."""
    source = parse_model(model, limits)
    symbols = bind_inputs(source.graph.fed, shapes, dims)
    return inline_functions(source, limits), symbols


def _opset_versions(source: Source) -> dict[str, int]:
    domains = [(entry.domain, entry.version) for entry in source.proto.opset_import]
    versions = {"" if domain == "ai.onnx" else domain: version for domain, version in domains}
    used = {node.operation.domain for node in source.graph.nodes}
    return {domain: version for domain, version in versions.items() if domain == "" or domain in used}
