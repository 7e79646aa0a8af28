"""If, Loop and Scan: types of their outputs, how often their bodies run, and their work."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from latcast.schema import InvalidModelError, ModelLimitError, UnsupportedOperatorError
from latcast.schema.articles import with_article
from latcast.schema.counting import counted
from profilers.onnx_graph.scope import Walked
from profilers.onnx_graph.shapes.sequences import carried, looped
from profilers.onnx_graph.source import Operation, SourceGraph, SourceNode
from profilers.onnx_graph.trips import Evaluations, Lookup, count_trips
from profilers.onnx_graph.values import Dims, Value
from profilers.onnx_graph.work import Work

__all__ = ["Body", "Surroundings", "control_flow_outputs", "control_flow_work"]

_LARGEST_TRIPS = 2**31 - 1
_SCAN_OF_BATCHES = 8
"""The one opset whose Scan takes lengths of sequences first and has batches as the first axis of all else."""


class Body(NamedTuple):
    """A walked body.

    Args:
        walked: its graph, outputs and digest.
        runs: whether it can run (of an If with a constant condition only one branch does).
    """

    walked: Walked
    runs: bool = True


WalkBody = Callable[[SourceGraph, Sequence[Value]], Walked]
Inputs = Sequence[Value | None]
_Result = tuple[list[Value], list[Body], int]


class Surroundings(NamedTuple):
    """What a rule needs of the walk.

    Args:
        walk_body: walks one body, given the values of its inputs.
        lookup: the value of a name around the body.
        evaluations: what counting trips may spend.
    """

    walk_body: WalkBody
    lookup: Lookup
    evaluations: Evaluations


def control_flow_outputs(node: SourceNode, inputs: Inputs, around: Surroundings, *, opset: int) -> _Result:
    """Outputs, bodies (in the order of their attributes' names) and trips of a node with bodies.

    Args:
        node: If, Loop, Scan, or another operator that takes bodies.
        inputs: of the node.
        around: what else is known.
        opset: version of ai.onnx; in 8, Scan had an axis of batches.

    Raises:
        InvalidModelError: bodies whose inputs or outputs do not match the node.
    """
    scan = _scan_of_batches if opset == _SCAN_OF_BATCHES else _scan
    rule = {"If": _if, "Loop": _loop, "Scan": scan}.get(node.operation.operator, _unknown)
    outputs, bodies, trips = rule(node, inputs, around)
    if len(outputs) != len(node.outputs):
        raise InvalidModelError(f"The body of {with_article(node.operation.operator)} node gives "
                                f"{counted(len(outputs), 'output')}, but the "
                                f"node has {len(node.outputs)}.")  # fmt: skip
    return outputs, bodies, trips


def control_flow_work(operator: str, own: Work, bodies: Sequence[Body], trips: int) -> Work:
    """The node's work: the dearer branch of an If, all trips of a body else."""
    graphs = [body.walked.graph for body in bodies if body.runs]
    if operator == "If":
        macs, flops = max(graph.macs for graph in graphs), max(graph.flops for graph in graphs)
    else:
        macs, flops = trips * sum(graph.macs for graph in graphs), trips * sum(graph.flops for graph in graphs)
    return own._replace(macs=macs, flops=flops)


def _renamed(value: Value, name: str, dims: Dims | None) -> Value:
    return Value(name, value.dtype, dims, other=value.other)


def _if(node: SourceNode, inputs: Inputs, around: Surroundings) -> _Result:
    names = [name for name, _ in node.operation.bodies]
    if names != ["else_branch", "then_branch"] or len(inputs) != 1 or inputs[0] is None:
        raise InvalidModelError("An If node needs a condition, a then_branch and an else_branch.")
    condition = inputs[0].data
    taken = None if condition is None or condition.size != 1 else bool(condition.reshape(-1)[0])
    bodies = _branches(node, taken, around.walk_body)
    if len({len(body.walked.outputs) for body in bodies}) != 1:
        raise InvalidModelError("The branches of an If node have different numbers of outputs.")
    running = [body.walked.outputs for body in bodies if body.runs]
    outputs = [_merged(name, branches) for name, *branches in zip(node.outputs, *running, strict=False)]
    return outputs if len(outputs) == len(running[0]) else [], bodies, 1


def _branches(node: SourceNode, taken: bool | None, walk_body: WalkBody) -> list[Body]:
    """Those branches that fit the shapes: one that does not cannot run, and the other one always does."""
    found: list[Body] = []
    misfit: InvalidModelError | None = None
    for wanted, (_, body) in zip((False, True), node.operation.bodies, strict=True):
        try:
            walked = walk_body(body, [_formal(info) for info in body.inputs])
        except (ModelLimitError, UnsupportedOperatorError):
            raise
        except InvalidModelError as error:
            misfit = error
            if taken is wanted:
                raise
        else:
            found.append(Body(walked, taken is None or taken is wanted))
    if misfit is None:
        return found
    if not found:
        raise misfit
    return [body._replace(runs=True) for body in found]


def _formal(info: object) -> Value:
    raise InvalidModelError("A branch of an If node has inputs; ONNX allows it none.")


def _merged(name: str, branches: Sequence[Value]) -> Value:
    """Sizes in which the branches agree; where they differ the size depends on data."""
    first = branches[0]
    dims = first.dims
    for other in branches[1:]:
        dims = _agreed(dims, other.dims)
    return _renamed(first, name, dims)


def _agreed(a: Dims | None, b: Dims | None) -> Dims | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(left if left == right else None for left, right in zip(a, b, strict=True))


def _loop(node: SourceNode, inputs: Inputs, around: Surroundings) -> _Result:
    body = _only_body(node)
    passed = [value for value in inputs[2:] if value is not None]
    if len(inputs) < 2 or len(body.inputs) != 2 + len(passed) or len(body.outputs) < 1 + len(passed):
        raise InvalidModelError("The body of a Loop node does not take and give what the node passes through it.")
    names = [info.name for info in body.inputs]
    dims = [value.dims for value in passed]
    walked = around.walk_body(body, _loop_inputs(names, passed, dims))
    settled = [_agreed(a, value.dims) for a, value in zip(dims, walked.outputs[1:], strict=False)]
    if settled != dims:
        walked = around.walk_body(body, _loop_inputs(names, passed, settled))
        settled = [_agreed(a, value.dims) for a, value in zip(settled, walked.outputs[1:], strict=False)]
    limit = _trip_count(inputs)
    if _never_stops(inputs, body, walked):
        certain = trips = limit
    else:
        certain = count_trips(body, inputs, around.lookup, around.evaluations)
        trips = limit if certain is None else certain
    final = [_renamed(value, name, shape) for value, name, shape in zip(passed, node.outputs, settled, strict=False)]
    for value, before, name, after in zip(final, passed, names[2:], walked.outputs[1:], strict=False):
        value.elements = looped(before, name, after, certain)
    stacked = walked.outputs[1 + len(passed) :]
    scans = [
        _renamed(value, name, None if value.dims is None else (certain, *value.dims))
        for value, name in zip(stacked, node.outputs[len(passed) :], strict=False)
    ]
    return [*final, *scans], [Body(walked)], 1 if trips is None else trips


def _loop_inputs(names: list[str], passed: Sequence[Value], dims: Sequence[Dims | None]) -> list[Value]:
    formal = [_renamed(value, name, shape) for value, name, shape in zip(passed, names[2:], dims, strict=True)]
    for value in formal:
        carried(value)
    return [Value(names[0], "int64", ()), Value(names[1], "bool", ()), *formal]


def _trip_count(inputs: Inputs) -> int | None:
    count = inputs[0]
    if count is None or count.data is None or count.data.size != 1:
        return None
    trips = int(count.data.reshape(-1)[0])
    return max(trips, 0) if trips <= _LARGEST_TRIPS else None


def _never_stops(inputs: Inputs, body: SourceGraph, walked: Walked) -> bool:
    """Whether only the trip count ends the loop: the condition starts true and the body hands it on or says true."""
    start = inputs[1]
    begins = start is None or (start.data is not None and start.data.size == 1 and bool(start.data.reshape(-1)[0]))
    told = walked.outputs[0].data
    goes_on = told is not None and told.size == 1 and bool(told.reshape(-1)[0])
    handed_on = {body.inputs[1].name} | {
        node.outputs[0]
        for node in body.nodes
        if node.operation.operator == "Identity" and node.inputs == [body.inputs[1].name]
    }
    return begins and (goes_on or body.outputs[0].name in handed_on)


def _scan(node: SourceNode, inputs: Inputs, around: Surroundings) -> _Result:
    body = _only_body(node)
    scanned = int(node.operation.plain.get("num_scan_inputs", 0))  # type: ignore[arg-type]
    values = [value for value in inputs if value is not None]
    states = len(values) - scanned
    if scanned < 1 or states < 0 or len(body.inputs) != len(values) or len(body.outputs) < states:
        raise InvalidModelError("The body of a Scan node does not take and give what the node passes through it.")
    axes = _axes(node.operation, "scan_input_axes", scanned)
    length = _along(values[states].dims, axes[0])
    slices = [_without(value.dims, axis) for value, axis in zip(values[states:], axes, strict=True)]
    dims = [*(value.dims for value in values[:states]), *slices]
    formal = [_renamed(value, info.name, shape) for value, info, shape in zip(values, body.inputs, dims, strict=True)]
    walked = around.walk_body(body, formal)
    final = [
        _renamed(value, name, value.dims) for value, name in zip(walked.outputs[:states], node.outputs, strict=False)
    ]
    out_axes = _axes(node.operation, "scan_output_axes", len(walked.outputs) - states)
    scans = [
        _renamed(value, name, _with(value.dims, axis, length))
        for value, name, axis in zip(walked.outputs[states:], node.outputs[states:], out_axes, strict=False)
    ]
    return [*final, *scans], [Body(walked)], 1 if length is None else length


def _scan_of_batches(node: SourceNode, inputs: Inputs, around: Surroundings) -> _Result:
    """Scan of opset 8: states are (batch, …), what is scanned (batch, length, …), the body sees neither axis."""
    body = _only_body(node)
    scanned = int(node.operation.plain.get("num_scan_inputs", 0))  # type: ignore[arg-type]
    values = [value for value in inputs[1:] if value is not None]
    states = len(values) - scanned
    if scanned < 1 or states < 0 or len(body.inputs) != len(values) or len(body.outputs) < states:
        raise InvalidModelError("The body of a Scan node does not take and give what the node passes through it.")
    batch, length = (_along(values[states].dims, axis) for axis in (0, 1))
    dims = [_without(value.dims, 0) for value in values]
    dims[states:] = [_without(shape, 0) for shape in dims[states:]]
    formal = [_renamed(value, info.name, shape) for value, info, shape in zip(values, body.inputs, dims, strict=True)]
    walked = around.walk_body(body, formal)
    outputs = [
        _renamed(value, name, _with(value.dims if place < states else _with(value.dims, 0, length), 0, batch))
        for place, (value, name) in enumerate(zip(walked.outputs, node.outputs, strict=False))
    ]
    return outputs, [Body(walked)], 1 if batch is None or length is None else batch * length


def _axes(operation: Operation, name: str, count: int) -> tuple[int, ...]:
    axes = operation.plain.get(name, (0,) * count)
    if not isinstance(axes, tuple) or len(axes) != count:
        raise InvalidModelError(f"The attribute {name} of a Scan node needs {count} axes.")
    return tuple(int(axis) for axis in axes)


def _along(dims: Dims | None, axis: int) -> int | None:
    return None if dims is None or not -len(dims) <= axis < len(dims) else dims[axis]


def _without(dims: Dims | None, axis: int) -> Dims | None:
    if dims is None or not dims:
        return None
    at = axis % len(dims)
    return (*dims[:at], *dims[at + 1 :])


def _with(dims: Dims | None, axis: int, size: int | None) -> Dims | None:
    if dims is None:
        return None
    at = axis % (len(dims) + 1)
    return (*dims[:at], size, *dims[at:])


def _only_body(node: SourceNode) -> SourceGraph:
    if len(node.operation.bodies) != 1:
        raise InvalidModelError(f"{with_article(node.operation.operator, capital=True)} node needs one body.")
    return node.operation.bodies[0][1]


def _unknown(node: SourceNode, _: Inputs, around: Surroundings) -> _Result:
    """Another operator with bodies: nothing is known of what it feeds them or of what comes out."""
    bodies = [
        Body(around.walk_body(body, [Value.from_type(info.name, info.type) for info in body.inputs]))
        for _, body in node.operation.bodies
    ]
    return [Value(name, "", None) for name in node.outputs], bodies, 1
