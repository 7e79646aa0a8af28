"""Inputs whose values steer a network: indices, sizes, counts, scales, categories; and values that make sense for them.

Reads the graph's record alone: whoever feeds a model need not import onnx.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from latcast.schema import Graph, Node, TensorSpec

__all__ = ["Steering", "Use", "Uses", "steering_of", "uses_of"]

DEPTH, BOXES = 10, 50
"""Classes of a OneHot and boxes of a NonMaxSuppression, where the model leaves them to an input."""
MOST_CATEGORIES = 64

PASSING = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Expand"})
"""Operators through which an index remains an index."""
IN_ORDER = frozenset({"Cast", "Identity"})
"""Operators that neither move nor drop an element."""
JOINING = frozenset({"ArrayFeatureExtractor", "Concat", "Gather", "Split", *PASSING})
"""Operators through which a category remains a category."""
SHIFTING = frozenset({"Add", "Sub"})
"""Operators that move an index by an offset, which is small beside what it indexes."""
RECURRENT = frozenset({"LSTM", "GRU", "RNN"})


class Steering(NamedTuple):
    """Values that make sense for an input.

    Args:
        low, high: bounds, both included.
        values: the elements, in order, repeated as often as the shape needs; empty where any between the bounds do.
        decides: whether they decide how much is computed, rather than which of many equal things.
    """

    low: float = 0
    high: float = 0
    values: tuple[float | str, ...] = ()
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A node that reads a tensor.

    Args:
        node: the reader.
        position: among its inputs.
        graph: the graph or body that holds it.
    """

    node: Node
    position: int
    graph: Graph

    def shape(self, position: int) -> tuple[int, ...] | None:
        """Shape of another input of the node; None where there is none, or it is not known."""
        inputs = self.node.inputs
        index = inputs[position] if position < len(inputs) else -1
        return None if index < 0 else self.graph.tensors[index].shape

    def axis(self, default: int = 0) -> int:
        """The node's axis."""
        axis = self.node.attributes.get("axis", default)
        return axis if isinstance(axis, int) else default


Uses = Mapping[str, Sequence[Use]]


def uses_of(graph: Graph) -> Uses:
    """Who reads each tensor, by name; bodies included."""
    uses: dict[str, list[Use]] = {}
    for name, use in _uses(graph):
        uses.setdefault(name, []).append(use)
    return uses


def _uses(graph: Graph) -> Iterator[tuple[str, Use]]:
    for node in graph.nodes:
        for position, index in enumerate(node.inputs):
            if index >= 0:
                yield graph.tensors[index].name, Use(node, position, graph)
        for body in node.bodies:
            yield from _uses(body)


def steering_of(tensor: TensorSpec, uses: Uses) -> Steering | None:
    """What an input steers, and by which values; None for one that steers nothing.

    Args:
        tensor: the input.
        uses: of all tensors.
    """
    elements = prod(tensor.shape or ())
    categories = _categories(tensor.name, uses, seen=set())
    if categories:
        return Steering(values=categories)
    found = list(_steerings(tensor.name, uses, elements, tensor.dtype.startswith("float"), seen=set(), in_order=True))
    exact = next((one for one in found if one.values), None)
    if exact is not None or not found:
        return exact
    low, high = max(one.low for one in found), min(one.high for one in found)
    return Steering(low=low, high=high, decides=any(one.decides for one in found))


def _steerings(
    name: str, uses: Uses, elements: int, scales: bool, *, seen: set[str], in_order: bool
) -> Iterator[Steering]:
    """What the nodes that a tensor reaches allow it to be."""
    if name in seen:
        return
    seen.add(name)
    for use in uses.get(name, ()):
        operator = use.node.operator
        steering = _scales(use) if scales else _integers(use, elements, in_order=in_order)
        if steering is not None:
            yield steering
        elif operator in SHIFTING or (operator in PASSING and use.position == 0):
            straight = in_order and operator in IN_ORDER
            for index in use.node.outputs:
                read_on = use.graph.tensors[index].name if index >= 0 else ""
                for one in _steerings(read_on, uses, elements, scales, seen=seen, in_order=straight):
                    shifted = operator in SHIFTING and one.low < one.high
                    yield one._replace(high=one.high // 2) if shifted else one


def _scales(use: Use) -> Steering | None:
    """Factors of a resizing: 1, which is always possible."""
    if (use.node.operator, use.position) in {("Resize", 2), ("Upsample", 1)}:
        return Steering(1, 1, decides=True)
    return None


def _integers(use: Use, elements: int, *, in_order: bool) -> Steering | None:
    operator, position = use.node.operator, use.position
    if operator in ("Gather", "GatherElements") and position == 1:
        return _below(use.shape(0), use.axis())
    if operator == "EmbedLayerNormalization" and position in (0, 1):
        return _below(use.shape(position + 2), 0)
    if operator in RECURRENT and position == 4:
        steps = (use.shape(0) or (1,))[0]
        return Steering(steps, steps)
    listed = _LISTED.get((operator, position))
    values = listed(use, elements) if listed is not None and in_order else ()
    if values:
        return Steering(values=tuple(values), decides=True)
    if (operator, position) == ("Slice", 2):
        end = max(use.shape(0) or (1,))
        return Steering(end, end, decides=True)
    size = _SIZES.get((operator, position))
    return None if size is None else Steering(size, size, decides=True)


def _below(shape: tuple[int, ...] | None, axis: int) -> Steering | None:
    return Steering(0, max(0, shape[axis] - 1)) if shape and -len(shape) <= axis < len(shape) else None


def _merged(use: Use, elements: int) -> Sequence[int]:
    """The shape of what is reshaped, in so many sizes: the last ones as one, or ones behind them."""
    shape = use.shape(0)
    if shape is None or elements < 1:
        return ()
    kept = shape[: elements - 1]
    return (*kept, *[1] * (elements - 1 - len(kept)), prod(shape[elements - 1 :]))


def _same(use: Use, elements: int) -> Sequence[int]:
    """The shape of what is resized or cropped, or its sizes along the axes that are named."""
    shape, axes = use.shape(0) or (), use.node.attributes.get("axes", ())
    sizes = [shape[int(axis)] for axis in axes if int(axis) < len(shape)] if isinstance(axes, tuple) and axes else shape
    return sizes if len(sizes) == elements else ()


def _parts(use: Use, elements: int) -> Sequence[int]:
    """Equal parts of the axis; the last one has the rest."""
    shape, axis = use.shape(0), use.axis()
    if shape is None or not -len(shape) <= axis < len(shape) or elements < 1:
        return ()
    part = shape[axis] // elements
    return (*[part] * (elements - 1), shape[axis] - part * (elements - 1))


def _first(_: Use, elements: int) -> Sequence[int]:
    """The first axes."""
    return range(elements)


_LISTED: Mapping[tuple[str, int], Callable[[Use, int], Sequence[int]]] = {
    ("CenterCropPad", 1): _same, ("Reshape", 1): _merged, ("Resize", 3): _same, ("Slice", 3): _first,
    ("Split", 1): _parts,
}  # fmt: skip
"""By operator and position: values for each element."""

_SIZES: Mapping[tuple[str, int], int] = {
    ("ConstantOfShape", 0): 1, ("Expand", 1): 1, ("Loop", 0): 1, ("NonMaxSuppression", 2): BOXES, ("OneHot", 1): DEPTH,
    ("Pad", 1): 0, ("Range", 0): 0, ("Range", 1): 1, ("Range", 2): 1, ("Reshape", 1): 1, ("Slice", 4): 1,
    ("Split", 1): 1, ("Tile", 1): 1, ("TopK", 1): 1,
}  # fmt: skip
"""By operator and position: a size or count that is always possible, the same for all elements."""


def _categories(name: str, uses: Uses, *, seen: set[str]) -> tuple[float | str, ...]:
    """Categories that the encoders take which a tensor reaches; those of the first."""
    if name in seen:
        return ()
    seen.add(name)
    for use in uses.get(name, ()):
        found = _of_encoder(use) if use.position == 0 else ()
        if not found and use.node.operator in JOINING and (use.position == 0 or use.node.operator == "Concat"):
            outputs = [use.graph.tensors[index].name for index in use.node.outputs if index >= 0]
            found = next((one for output in outputs if (one := _categories(output, uses, seen=seen))), ())
        if found:
            return found
    return ()


_ENCODERS: Mapping[str, Iterable[str]] = {
    "CategoryMapper": ("cats_strings", "cats_int64s"), "LabelEncoder": ("keys_strings", "keys_int64s", "keys_floats"),
    "OneHotEncoder": ("cats_strings", "cats_int64s"),
}  # fmt: skip
"""Operators of ai.onnx.ml, with the attributes that list what they take."""


def _of_encoder(use: Use) -> tuple[float | str, ...]:
    if use.node.domain != "ai.onnx.ml":
        return ()
    index = use.node.inputs[use.position]
    texts = use.graph.tensors[index].dtype == "string"
    for name in _ENCODERS.get(use.node.operator, ()):
        values = use.node.attributes.get(name, ())
        if isinstance(values, tuple) and values and isinstance(values[0], str) == texts:
            return values[:MOST_CATEGORIES]
    return ()
