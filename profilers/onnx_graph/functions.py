"""Local functions: refused when they recurse or explode, else inlined."""

from collections.abc import Sequence

from onnx import inliner
from onnx.checker import ValidationError

from latcast.schema import InvalidModelError
from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import read_model
from profilers.onnx_graph.source import Source, SourceFunction, SourceGraph, SourceNode, walk_graphs

__all__ = ["inline_functions"]

_Key = tuple[str, str, str]


def inline_functions(source: Source, limits: Limits) -> Source:
    """The model without local functions; the same object where it has none.

    The expanded size is computed first, so that twenty functions that each call the next one twice are refused
    before anything grows.

    Raises:
        ModelLimitError: too many nodes, or calls nested too deep.
        InvalidModelError: functions that call themselves, or that onnx cannot inline.
    """
    if not source.functions:
        return source
    functions = {(item.proto.domain, item.proto.name, item.proto.overload): item for item in source.functions}
    sizes = _Sizes(functions, limits)
    limits.check("nodes", sizes.of_nodes(_all_nodes(source.graph), 0), "local functions expanded")
    sizes.check_unused()
    try:
        inlined = inliner.inline_local_functions(source.proto)
    except (RuntimeError, ValueError, ValidationError) as error:
        raise InvalidModelError(f"The model's local functions cannot be inlined: {str(error)[:200]}") from None
    return read_model(inlined, limits)


def _all_nodes(graph: SourceGraph) -> list[SourceNode]:
    return [node for body in walk_graphs(graph) for node in body.nodes]


class _Sizes:
    """Nodes that each function expands to."""

    def __init__(self, functions: dict[_Key, SourceFunction], limits: Limits) -> None:
        self._functions, self._limits = functions, limits
        self._known: dict[_Key, int] = {}
        self._open: set[_Key] = set()

    def of_nodes(self, nodes: Sequence[SourceNode], depth: int) -> int:
        return sum(self._of_node(node, depth) for node in nodes)

    def check_unused(self) -> None:
        """Refuse functions that nobody calls as if somebody did."""
        for key in self._functions:
            if key not in self._known:
                self._known[key] = self._of_function(key, 0)

    def _of_node(self, node: SourceNode, depth: int) -> int:
        key = (node.proto.domain, node.operation.operator, node.proto.overload)
        if key not in self._functions:
            return 1
        if key not in self._known:
            self._known[key] = self._of_function(key, depth)
        return self._known[key]

    def _of_function(self, key: _Key, depth: int) -> int:
        if key in self._open:
            raise InvalidModelError(f"Local function {key[1]!r}: it calls itself, which ONNX does not allow.")
        self._limits.check("depth", depth, "nested calls of local functions")
        self._open.add(key)
        body = SourceGraph([], [], [], self._functions[key].nodes, [], [])
        size = self.of_nodes(_all_nodes(body), depth + 1)
        self._open.discard(key)
        return size
