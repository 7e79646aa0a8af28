"""Local functions: refused when they recurse or explode, else inlined."""

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, inliner

from profilers.onnx_graph.limits import Limits
from profilers.onnx_graph.parsing import walk_graphs
from profilers.schema import InvalidModelError

__all__ = ["inline_functions"]

_Key = tuple[str, str, str]


def inline_functions(model: ModelProto, limits: Limits) -> ModelProto:
    """The model without local functions; the same object where it has none.

    The expanded size is computed first, so that twenty functions that each call the next one twice are refused
    before anything grows.

    Raises:
        ModelLimitError: too many nodes, or calls nested too deep.
        InvalidModelError: functions that call themselves, or that onnx cannot inline.
    """
    if not model.functions:
        return model
    functions = {(item.domain, item.name, item.overload): item for item in model.functions}
    sizes = _Sizes(functions, limits)
    limits.check("nodes", sizes.of_nodes(_all_nodes(model.graph), 0), "local functions expanded")
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise InvalidModelError(f"The model's local functions cannot be inlined: {str(error)[:200]}") from None


def _all_nodes(graph: GraphProto) -> list[NodeProto]:
    return [node for body in walk_graphs(graph) for node in body.node]


class _Sizes:
    """Nodes that each function expands to."""

    def __init__(self, functions: dict[_Key, FunctionProto], limits: Limits) -> None:
        self._functions, self._limits = functions, limits
        self._known: dict[_Key, int] = {}
        self._open: set[_Key] = set()

    def of_nodes(self, nodes: list[NodeProto], depth: int) -> int:
        return sum(self._of_node(node, depth) for node in nodes)

    def _of_node(self, node: NodeProto, depth: int) -> int:
        key = (node.domain, node.op_type, node.overload)
        if key not in self._functions:
            return 1
        if key not in self._known:
            self._known[key] = self._of_function(key, depth)
        return self._known[key]

    def _of_function(self, key: _Key, depth: int) -> int:
        if key in self._open:
            raise InvalidModelError(f"The local function {key[1]!r} calls itself, which ONNX does not allow.")
        self._limits.check("depth", depth, "nested calls of local functions")
        self._open.add(key)
        body = GraphProto(node=self._functions[key].node)
        size = self.of_nodes(_all_nodes(body), depth + 1)
        self._open.discard(key)
        return size
