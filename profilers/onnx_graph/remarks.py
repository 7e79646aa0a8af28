"""Remarks: what people should be told of a network before they trust a latency of it, a sentence each."""

from collections.abc import Iterator

from latcast.onnx_files.usage import QUANTISED
from latcast.schema import Graph, Node, TensorSpec
from latcast.schema.articles import with_article
from latcast.schema.counting import counted
from profilers.onnx_graph.kernel_types import types_without_kernel
from profilers.onnx_graph.work import MACS

__all__ = ["described", "empty_by_choice", "number_type", "precision_of", "remarks_of", "unknown_macs"]

_IN_8_BITS = frozenset({
    "ConvInteger", "DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeLinear", "DynamicQuantizeMatMul",
    "MatMulBnb4", "MatMulInteger", "MatMulInteger16", "MatMulIntegerToFloat", "MatMulNBits", "QAttention", "QGemm",
    "QuantizeLinear",
})  # fmt: skip
_PACKED = ("MatMulNBits", "MatMulBnb4")
"""Operators whose weights of a few bits are stored as bytes."""
_SEQUENCES = ("Sequence", "SplitToSequence", "ConcatFromSequence", "Optional")
"""Beginnings of operators whose sizes are open because of what they hold, not because of values."""
_FLOATS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}
"""Precisions of models that are not quantised, by the element type of most of their weights."""
_OLDEST_RUN = 7
"""Oldest version of ai.onnx whose operators ONNX Runtime has all of."""
_PAST = ("past", "cache", "state", "memory")
"""What names of inputs hold that are empty at the first step of a decoder."""


def remarks_of(graph: Graph) -> tuple[str, ...]:
    """The sentences about a graph, the most important first; empty where there is nothing to say."""
    return tuple([sentence for sentence in _sentences(graph) if sentence])


def described(graph: Graph) -> dict[str, object]:
    """What people are told of a graph, in JSON values: its summary, and the remarks."""
    told = {"precision": precision_of(graph), "unknown_macs_nodes": unknown_macs(graph)}
    return {**graph.summary, **told, "remarks": list(remarks_of(graph))}


def precision_of(graph: Graph) -> str:
    """What the file computes in, `fp32`, `fp16`, `int8`, …; a target's precision is what a runtime makes of that."""
    if kind := number_type(graph):
        return kind
    counts = {dtype: count for dtype, count in graph.parameters.items() if dtype in _FLOATS and count > 1}
    fed = [graph.tensors[at].dtype for at in graph.inputs if graph.tensors[at].dtype in _FLOATS]
    return _FLOATS[max(counts, key=lambda dtype: counts[dtype], default=fed[0] if fed else "float32")]


def number_type(graph: Graph) -> str:
    """The type that a quantised model computes in, for example `int8`; empty for a model that is not quantised."""
    if not any(_is_quantised(node) for node in _nodes(graph)):
        return ""
    packed = [node.attributes.get("bits", 4) for node in _nodes(graph) if node.operator in _PACKED]
    if packed:
        return f"int{packed[0]}"
    counts = {dtype: count for dtype, count in graph.parameters.items() if dtype in QUANTISED}
    return max(counts, key=lambda dtype: counts[dtype], default="int8")


def unknown_macs(graph: Graph) -> int:
    """Nodes, those of bodies included, whose multiply-accumulates are unknown, as a size depends on values."""
    return sum(_is_unsized(node, holder) for node, holder in _held_nodes(graph))


def empty_by_choice(name: str) -> bool:
    """Whether an input of this name may be empty: it holds what a decoder has seen so far."""
    return any(word in name.casefold() for word in _PAST)


def _sentences(graph: Graph) -> Iterator[str]:
    if graph.training_mode:
        yield ("It runs in training mode (normalisation or dropout as in training): call eval() before exporting, "
               "unless that is meant. Forecasts are made for inference.")  # fmt: skip
    if deciding := _deciding(graph):
        yield (f"Its latency depends on the values of its inputs, not on their shapes alone ({deciding}): measure it "
               "with inputs of your own (--feeds).")  # fmt: skip
    yield types_without_kernel(_held_nodes(graph))
    if 0 < graph.opset < _OLDEST_RUN:
        yield (f"It imports version {graph.opset} of ai.onnx; ONNX Runtime has few operators from before version "
               f"{_OLDEST_RUN} and may refuse it: convert it (onnx.version_converter.convert_version).")  # fmt: skip
    if unknown := unknown_macs(graph):
        yield f"MACs unknown of {counted(unknown, 'node')}, whose sizes depend on values."
    yield _empty(graph)
    if kind := number_type(graph):
        yield f"It is quantised ({kind}): it runs as given, in its own number types, whatever the target's name says."
    if graph.denormal_weights:
        yield "Some of its constants are denormal, which can slow a runtime tenfold."


def _deciding(graph: Graph) -> str:
    """Operators that make the latency depend on values, each once."""
    deciding = [node.operator for node, holder in _held_nodes(graph) if _decides(node, holder)]
    listed = list(dict.fromkeys(deciding))
    return ", ".join(listed[:4]) + (" and others" if len(listed) > 4 else "")


def _decides(node: Node, holder: Graph) -> bool:
    """Whether values decide how much a node computes, or how large its outputs are."""
    if node.operator == "If" and not node.domain:
        return len({body.macs or body.flops for body in node.bodies}) > 1 and _is_fed(node.inputs[0], holder)
    if node.operator == "Loop" and not node.domain:
        return node.trips == 1 and (node.inputs[0] < 0 or _is_fed(node.inputs[0], holder))
    if node.operator.startswith(_SEQUENCES) or node.bodies:
        return False
    inputs = [holder.tensors[at] for at in node.inputs if at >= 0]
    first = holder.tensors[node.outputs[0]] if node.outputs and node.outputs[0] >= 0 else None  # others are secondary
    return first is not None and first.dtype != "" and first.shape is None and all(x.shape is not None for x in inputs)


def _is_fed(tensor: int, graph: Graph) -> bool:
    return tensor not in graph.initializers and tensor not in graph.outer


def _is_unsized(node: Node, holder: Graph) -> bool:
    if node.operator not in MACS:
        return False
    read = [holder.tensors[at] for at in (*node.inputs[:2], *node.outputs[:1]) if at >= 0]
    return any(tensor.shape is None for tensor in read)


def _empty(graph: Graph) -> str:
    """What has no elements: an input that is none of a decoder's past, or what some node makes of full ones."""
    inputs = [graph.tensors[at] for at in graph.inputs]
    empty = [tensor for tensor in inputs if _has_none(tensor)]
    unmeant = [tensor for tensor in empty if not empty_by_choice(tensor.name)]
    if unmeant:
        return f"The input {unmeant[0].name!r} has no elements ({_sizes(unmeant[0])}): hardly anything is computed."
    if empty:
        return ""
    for node in graph.nodes:
        made = [graph.tensors[at] for at in node.outputs if at >= 0 and _has_none(graph.tensors[at])]
        fed = [graph.tensors[at] for at in node.inputs if at >= 0]
        if made and node.operator in _WINDOWED and not any(map(_has_none, fed)):
            return (f"Nothing is left behind {with_article(node.operator)} node, which makes {_sizes(made[0])}: the "
                    "input is too small for the network.")  # fmt: skip
    return ""


_WINDOWED = frozenset({"AveragePool", "LpPool", "MaxPool", "Resize", "Slice", "Upsample"})


def _has_none(tensor: TensorSpec) -> bool:
    return tensor.shape is not None and 0 in tensor.shape


def _sizes(tensor: TensorSpec) -> str:
    return "×".join(map(str, tensor.shape or ()))


def _is_quantised(node: Node) -> bool:
    return node.operator in _IN_8_BITS or node.operator.startswith("QLinear")


def _nodes(graph: Graph) -> Iterator[Node]:
    return (node for node, _ in _held_nodes(graph))


def _held_nodes(graph: Graph) -> Iterator[tuple[Node, Graph]]:
    """Every node with the graph or body that holds it."""
    for node in graph.nodes:
        yield node, graph
        for body in node.bodies:
            yield from _held_nodes(body)
