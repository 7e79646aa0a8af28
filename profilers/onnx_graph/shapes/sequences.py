"""Sizes of the tensors in a sequence, which onnx's inference joins into one type and forgets the number of.

`Value.elements` says what a sequence holds. In the body of a loop a carried sequence holds what the rounds before have
put into it; what one round adds is noted beside its name, and `looped` adds it as often as the loop runs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from profilers.onnx_graph.shapes.rules import Inputs, dims_of, given, integers_of
from profilers.onnx_graph.source import Operation
from profilers.onnx_graph.values import Dims, Elements, Value

__all__ = ["carried", "looped", "note_elements"]

MOST_ELEMENTS = 4096
"""Elements of a sequence whose sizes are kept one by one."""

Plain = Mapping[str, Any]


def note_elements(operation: Operation, inputs: Inputs, outputs: Sequence[Value]) -> None:
    """Set what is known of a sequence that a node makes, or of a tensor that it makes of one, in place."""
    rule = _RULES.get(operation.operator)
    if rule is not None and not operation.domain and outputs:
        rule(inputs, outputs[0], operation.plain)


def carried(value: Value) -> None:
    """Say of a sequence that a loop's body is given that nothing is known of it but its name."""
    if _is_sequence(value):
        value.elements = Elements(start=value.name)


def looped(before: Value, formal: str, after: Value, trips: int | None) -> Elements | None:
    """What a sequence holds when a loop has ended.

    Args:
        before: the sequence that the loop starts with.
        formal: the body's name of it.
        after: what the body makes of it in one round.
        trips: how often the body runs, where that is certain.
    """
    start, added = before.elements, after.elements
    if start is None or added is None or added.start != formal or start.start or trips is None:
        return None
    if len(added.dims) * trips > MOST_ELEMENTS:
        return None
    return Elements(dims=start.dims + added.dims * trips)


def _is_sequence(value: Value) -> bool:
    return value.other is not None and value.other.WhichOneof("value") == "sequence_type"


def _split(inputs: Inputs, output: Value, plain: Plain) -> None:
    x, axis = dims_of(inputs, 0), int(plain.get("axis", 0))
    if x is None or not -len(x) <= axis < len(x) or (size := x[axis]) is None:
        return
    axis %= len(x)
    parts = _parts(inputs, size)
    if parts is None or len(parts) > MOST_ELEMENTS:
        return
    kept = given(inputs, 1) is not None or plain.get("keepdims", 1)
    output.elements = Elements(dims=tuple((*x[:axis], *([part] if kept else []), *x[axis + 1 :]) for part in parts))


def _parts(inputs: Inputs, size: int) -> list[int] | None:
    """Sizes of the parts along the axis: ones, chunks of a scalar's size, or those that are listed."""
    if (split := given(inputs, 1)) is None:
        return [1] * min(size, MOST_ELEMENTS + 1)
    sizes = integers_of(inputs, 1)
    if sizes is None or split.dims != () or not sizes or sizes[0] < 1:
        return sizes if sizes and min(sizes) >= 0 and sum(sizes) == size else None
    whole, rest = divmod(size, sizes[0])
    return [sizes[0]] * min(whole, MOST_ELEMENTS + 1) + ([rest] if rest else [])


def _construct(inputs: Inputs, output: Value, _: Plain) -> None:
    output.elements = Elements(dims=tuple(dims_of(inputs, at) for at in range(len(inputs))))


def _insert(inputs: Inputs, output: Value, _: Plain) -> None:
    before = _elements(inputs)
    if before is None or len(before.dims) >= MOST_ELEMENTS:
        return
    at = _position(inputs, 2, len(before.dims))
    new = dims_of(inputs, 1)
    if before.start and given(inputs, 2) is not None:
        at = len(before.dims)  # the order is unknown, which matters to nobody while all are of one size
    if at is None:
        at = len(before.dims) if set(before.dims) <= {new} else None
    if at is not None:
        output.elements = before._replace(dims=(*before.dims[:at], new, *before.dims[at:]))


def _erase(inputs: Inputs, output: Value, _: Plain) -> None:
    before = _elements(inputs)
    if before is None or before.start or not before.dims:
        return
    at = _position(inputs, 1, len(before.dims) - 1)
    if at is None:
        at = 0 if len(set(before.dims)) == 1 else None
    if at is not None:
        output.elements = before._replace(dims=(*before.dims[:at], *before.dims[at + 1 :]))


def _at(inputs: Inputs, output: Value, _: Plain) -> None:
    whole = _elements(inputs)
    if whole is None or whole.start or not whole.dims:
        return
    at = _position(inputs, 1, None)
    if at is None or at >= len(whole.dims):
        at = 0 if len(set(whole.dims)) == 1 else None
    if at is not None:
        _close(output, whole.dims[at])


def _concat(inputs: Inputs, output: Value, plain: Plain) -> None:
    whole = _elements(inputs)
    if whole is None or whole.start or not whole.dims or None in whole.dims:
        return
    parts = [dims for dims in whole.dims if dims is not None]
    first, new = parts[0], bool(plain.get("new_axis", 0))
    axis, rank = int(plain.get("axis", 0)), len(first) + new
    if len({len(part) for part in parts}) != 1 or not -rank <= axis < rank:
        return
    axis %= rank
    if new:
        _close(output, (*first[:axis], len(parts), *first[axis:]))
        return
    sizes = [part[axis] for part in parts if part[axis] is not None]
    total = sum(size for size in sizes if size is not None) if len(sizes) == len(parts) else None
    _close(output, (*first[:axis], total, *first[axis + 1 :]))


def _hand_on(inputs: Inputs, output: Value, _: Plain) -> None:
    output.elements = _elements(inputs)


def _close(output: Value, dims: Dims | None) -> None:
    """Fill in the sizes that are open."""
    if dims is None or (output.dims is not None and len(output.dims) != len(dims)):
        return
    known = output.dims or (None,) * len(dims)
    output.dims = tuple(b if a is None else a for a, b in zip(known, dims, strict=True))


def _elements(inputs: Inputs) -> Elements | None:
    value = given(inputs, 0)
    return None if value is None else value.elements


def _position(inputs: Inputs, at: int, default: int | None) -> int | None:
    """A position in a sequence; None where it is not known, or counts from the end."""
    if given(inputs, at) is None:
        return default
    values = integers_of(inputs, at)
    return values[0] if values and values[0] >= 0 else None


_RULES: Mapping[str, Callable[[Inputs, Value, Plain], None]] = {
    "ConcatFromSequence": _concat, "Identity": _hand_on, "SequenceAt": _at, "SequenceConstruct": _construct,
    "SequenceEmpty": lambda _inputs, output, _plain: setattr(output, "elements", Elements()),
    "SequenceErase": _erase, "SequenceInsert": _insert, "SplitToSequence": _split,
}  # fmt: skip
"""By operator."""
