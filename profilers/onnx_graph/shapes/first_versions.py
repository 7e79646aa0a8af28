"""Shapes of operators in their first version, which onnx infers nothing for.

Most have a later version that differs in what they compute or how that is written, not in shapes: the node is inferred
as one of these. Reshape, Upsample and Cast say in other places what they make, so they have rules.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import floor, prod

from onnx import AttributeProto, NodeProto, TensorProto, defs, helper

from latcast.schema import InvalidModelError
from profilers.onnx_graph.dtypes import dtype_name
from profilers.onnx_graph.shapes.rules import Inputs, Output, Plain, Rule, dims_of, dtype_of
from profilers.onnx_graph.source import Operation

__all__ = ["FIRST_RULES", "is_first_without_inference", "later_form"]

_LAST = 6
"""Opset until which operators without inference are of a first version; later ones are made of other operators."""
_CONCATENATED = 1
"""Axis of a first Concat that names none."""
_KINDS = AttributeProto.AttributeType.Name
_TYPES = frozenset(TensorProto.DataType.keys()) - {"UNDEFINED"}


def is_first_without_inference(schema: defs.OpSchema) -> bool:
    """Whether this is an operator of ai.onnx in a first version whose shapes onnx does not infer."""
    return not schema.domain and schema.since_version < _LAST and not schema.has_type_and_shape_inference_function


def later_form(
    node: NodeProto, operation: Operation, schema: defs.OpSchema, inputs: Inputs
) -> tuple[NodeProto, defs.OpSchema, Inputs] | None:
    """The node as a later version writes it, with its operator and inputs there; None where nothing says its shapes.

    Args:
        node: of the model.
        operation: what it does.
        schema: its operator in the version that the model imports.
        inputs: of the node; None for one that is left out.
    """
    later = _later(schema.name, schema.since_version)
    if later is None or (schema.name == "Split" and len(inputs) > 1):  # lengths in a float tensor, as nobody wrote it
        return None
    form = NodeProto(op_type=node.op_type, name=node.name, input=node.input[: later.max_input], output=node.output)
    for item in node.attribute:
        name = "pads" if item.name == "paddings" else item.name
        wanted = later.attributes.get(name)
        if wanted is not None and wanted.type == getattr(defs.OpSchema.AttrType, _KINDS(item.type)):
            form.attribute.add().CopyFrom(item)
            form.attribute[-1].name = name
    if schema.name == "Concat" and "axis" not in operation.plain:
        form.attribute.append(helper.make_attribute("axis", _CONCATENATED))
    return form, later, inputs[: later.max_input]


@lru_cache(maxsize=256)
def _later(operator: str, since: int) -> defs.OpSchema | None:
    """The operator in the first later version that onnx infers shapes of."""
    versions = (defs.get_schema(operator, max_inclusive_version=version) for version in range(since + 1, _LAST + 2))
    return next((one for one in versions if one.has_type_and_shape_inference_function), None)


def _reshape(inputs: Inputs, plain: Plain) -> list[Output]:
    dtype, x, wanted = dtype_of(inputs, 0), dims_of(inputs, 0), plain.get("shape")
    if not isinstance(wanted, tuple):
        return [(dtype, None)]
    if x is None or None in x:
        return [(dtype, tuple(size if size > 0 else None for size in wanted))]
    if any(size == 0 and at >= len(x) for at, size in enumerate(wanted)) or wanted.count(-1) > 1:
        raise InvalidModelError(f"its attribute shape is {list(wanted)}, which {list(x)} cannot become")
    sizes = [x[at] if size == 0 else size for at, size in enumerate(wanted)]
    elements = prod(size for size in x if size is not None)
    if -1 in sizes:
        rest = prod(size for size in sizes if size is not None and size != -1)
        sizes[sizes.index(-1)] = elements // rest if rest else 0
    if prod(size for size in sizes if size is not None) != elements:
        raise InvalidModelError(f"its attribute shape is {list(wanted)}, which {list(x)} cannot become")
    return [(dtype, tuple(sizes))]


def _upsample(inputs: Inputs, plain: Plain) -> list[Output]:
    dtype, x = dtype_of(inputs, 0), dims_of(inputs, 0)
    scales: Sequence[float] = [plain.get("height_scale", 1.0), plain.get("width_scale", 1.0)]
    if x is None or len(x) < len(scales):
        return [(dtype, None)]
    scaled = (None if size is None else floor(size * scale) for size, scale in zip(x[-2:], scales, strict=True))
    return [(dtype, (*x[:-2], *scaled))]


def _cast(inputs: Inputs, plain: Plain) -> list[Output]:
    name = str(plain.get("to", "")).upper()
    if name not in _TYPES:
        raise InvalidModelError(f"its attribute to is {plain.get('to')!a}, and has to name a type, as FLOAT does")
    return [(dtype_name(TensorProto.DataType.Value(name)), dims_of(inputs, 0))]


FIRST_RULES: Mapping[str, Rule] = {"Cast": _cast, "Reshape": _reshape, "Upsample": _upsample}
"""By operator of ai.onnx, for first versions that say otherwise what they make."""
