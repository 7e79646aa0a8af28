"""Types and shapes of one node's outputs: by our own rules where onnx has none, else by onnx, node by node.

Going node by node in our own walk (rather than over the model at once) lets shapes flow through operators that onnx
does not know, lets small constants computed on the way take part, and keeps each foreign call small.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from onnx import AttributeProto, NodeProto, OperatorSetIdProto, checker, defs, shape_inference

from latcast.schema import InvalidModelError, UnsupportedOperatorError
from latcast.schema.articles import with_article
from profilers.onnx_graph.long_lists import LONG_LIST
from profilers.onnx_graph.shapes.com_microsoft import ALIASES, NHWC_ALIASES, RULES, Alias
from profilers.onnx_graph.shapes.contradictions import refuse_contradictions
from profilers.onnx_graph.shapes.first_versions import FIRST_RULES, is_first_without_inference, later_form
from profilers.onnx_graph.shapes.rules import Output
from profilers.onnx_graph.shapes.standard import STANDARD, STANDARD_SINCE, VALUE_FREE
from profilers.onnx_graph.source import SourceNode
from profilers.onnx_graph.values import Dims, Value

__all__ = ["OpsetVersions", "infer_outputs"]

OpsetVersions = Mapping[str, int]
"""Imported version by domain, with `""` for ai.onnx."""

_FUSED = "com.microsoft"


def infer_outputs(node: SourceNode, inputs: Sequence[Value | None], opsets: OpsetVersions) -> list[Value]:
    """One value for each output of a node, named ones and omitted ones alike.

    Raises:
        UnsupportedOperatorError: an operator that ai.onnx or ai.onnx.ml do not have in the imported version.
        InvalidModelError: inputs or attributes that do not fit the operator.
    """
    try:
        outputs = _infer(node, inputs, opsets)
        refuse_contradictions(node.operation, inputs, outputs, opset=opsets.get("", 1))
    except UnsupportedOperatorError:
        raise
    except InvalidModelError as error:
        raise InvalidModelError(f"{_where(node)}: {error}.") from None
    except (shape_inference.InferenceError, checker.ValidationError, RuntimeError, ValueError, TypeError, KeyError,
            IndexError) as error:  # fmt: skip
        unknown = next((one for one in inputs if one is not None and not one.dtype and one.other is None), None)
        if unknown is not None:
            raise InvalidModelError(
                f"{_where(node)} reads {unknown.name!r}, of unknown type and shape: the operator that gives it is not "
                "known here. Declare both in the model's value_info, as onnx.helper.make_tensor_value_info makes them."
            ) from None
        text = " ".join(str(error).split())[:300]
        raise InvalidModelError(f"{_where(node)} does not fit its inputs or attributes: {text}") from None
    return outputs


def _where(node: SourceNode) -> str:
    operator = node.operation.operator
    return f"The {operator} node {node.name!r}" if node.name else f"{with_article(operator, capital=True)} node"


def _infer(node: SourceNode, inputs: Sequence[Value | None], opsets: OpsetVersions) -> list[Value]:
    operation = node.operation
    operator, domain = operation.operator, operation.domain
    if domain == _FUSED:
        channels_last = operator.startswith("Nhwc") or operation.plain.get("channels_last") == 1
        alias = NHWC_ALIASES.get(operator) if channels_last else ALIASES.get(operator)
        if alias is not None:
            return _infer_alias(node, alias, inputs, channels_last)
    schema = _schema(operator, domain, opsets.get(domain, 1))
    rule = RULES.get((domain, operator))
    if rule is not None and (schema is None or not schema.has_type_and_shape_inference_function):
        return _named(node, rule(inputs, operation.plain))
    if schema is not None and is_first_without_inference(schema):
        return _infer_first(node, schema, inputs)
    if schema is not None:
        common = STANDARD.get(operator) if not domain and opsets.get("", 1) >= STANDARD_SINCE else None
        outputs = common(inputs, operation) if common is not None and len(node.outputs) == 1 else None
        if outputs is not None:
            return _named(node, outputs)
        proto = _shortened(node.proto) if operation.long else node.proto
        return _infer_standard(proto, schema, inputs, opsets)
    if domain != _FUSED:
        raise UnsupportedOperatorError([f"{domain or 'ai.onnx'}.{operator}"])
    return _named(node, [])


@lru_cache(maxsize=4096)
def _schema(operator: str, domain: str, version: int) -> defs.OpSchema | None:
    try:
        return defs.get_schema(operator, max_inclusive_version=version, domain=domain)
    except defs.SchemaError:
        return None


def _named(node: SourceNode, outputs: Sequence[Output]) -> list[Value]:
    """Values for all outputs; those that a rule says nothing of are unknown."""
    padded = [*outputs, *[("", None)] * len(node.outputs)]
    return [Value(name, *output) for name, output in zip(node.outputs, padded, strict=False)]


def _infer_standard(
    node: NodeProto, schema: defs.OpSchema, inputs: Sequence[Value | None], opsets: OpsetVersions
) -> list[Value]:
    present = [value for value in inputs if value is not None]
    named = [(name, value) for name, value in zip(node.input, inputs, strict=True) if value is not None]
    types = {name: value.type_proto for name, value in named}
    data = {}
    if node.op_type not in VALUE_FREE:
        data = {name: value.tensor_proto for name, value in named if value.data is not None}
    found = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=_imports(tuple(opsets.items())))
    outputs = [Value.from_type(name, found[name]) if name in found else Value(name, "", None) for name in node.output]
    if outputs and not outputs[0].dtype and outputs[0].other is None and present:
        outputs[0].dtype = present[0].dtype  # function operators without type inference keep their input's type
    return outputs


def _infer_first(node: SourceNode, schema: defs.OpSchema, inputs: Sequence[Value | None]) -> list[Value]:
    rule = FIRST_RULES.get(schema.name)
    if rule is not None:
        return _named(node, rule(inputs, node.operation.plain))
    later = later_form(node.proto, node.operation, schema, inputs)
    if later is None:
        return _named(node, [])
    form, schema, inputs = later
    return _infer_standard(form, schema, inputs, {"": schema.since_version})


def _shortened(node: NodeProto) -> NodeProto:
    """The node with the beginnings of its long lists: onnx copies a node, and no shape follows from all trees."""
    short = NodeProto(op_type=node.op_type, domain=node.domain, name=node.name, input=node.input, output=node.output)
    for item in node.attribute:
        if max(len(item.ints), len(item.floats), len(item.strings)) <= LONG_LIST:
            short.attribute.append(item)
        else:
            lists = {name: getattr(item, name)[:LONG_LIST] for name in ("ints", "floats", "strings")}
            short.attribute.append(AttributeProto(name=item.name, type=item.type, **lists))
    return short


@lru_cache(maxsize=256)
def _imports(opsets: tuple[tuple[str, int], ...]) -> list[OperatorSetIdProto]:
    return [OperatorSetIdProto(domain=domain, version=version) for domain, version in opsets]


def _infer_alias(node: SourceNode, alias: Alias, inputs: Sequence[Value | None], channels_last: bool) -> list[Value]:
    version = defs.onnx_opset_version()
    schema = _schema(alias.operator, "", version)
    assert schema is not None  # noqa: S101 - aliases name operators of every onnx version we require
    positions = range(len(inputs)) if alias.inputs is None else [at for at in alias.inputs if at < len(inputs)]
    if alias.first_of is not None:
        positions = range(alias.first_of[0], len(inputs), alias.first_of[1])
    standard = NodeProto(op_type=alias.operator, name=node.name, output=node.outputs[: schema.max_output])
    standard.input.extend(node.inputs[at] for at in positions)
    standard.attribute.extend(item for item in node.proto.attribute if item.name in schema.attributes)
    chosen = [inputs[at] for at in positions]
    first = chosen[0] if chosen else None
    if first is not None and (channels_last or alias.as_float):
        dims = _moved(first.dims, 1, -1) if channels_last else first.dims
        chosen[0] = Value(first.name, "float32" if alias.as_float else first.dtype, dims)
    outputs = _infer_standard(standard, schema, chosen, {"": version})
    if first is not None and alias.as_float:
        outputs = [Value(value.name, first.dtype, value.dims) for value in outputs]
    if channels_last:
        outputs = [Value(value.name, value.dtype, _moved(value.dims, -1, 1)) for value in outputs]
    return [*outputs, *(Value(name, "", None) for name in node.outputs[len(outputs) :])]


def _moved(dims: Dims | None, to: int, start: int) -> Dims | None:
    """Sizes with the axis at `start` moved to `to`."""
    if dims is None or len(dims) < 2:
        return dims
    rest = list(dims)
    size = rest.pop(start)
    rest.insert(to if to >= 0 else len(rest), size)
    return tuple(rest)
