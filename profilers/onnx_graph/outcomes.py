"""What nodes came out as, kept across models: networks repeat themselves and each other."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

from profilers.onnx_graph.shapes.inference import OpsetVersions
from profilers.onnx_graph.shapes.rules import Output
from profilers.onnx_graph.shapes.standard import VALUE_FREE
from profilers.onnx_graph.source import SourceNode
from profilers.onnx_graph.values import Value
from profilers.onnx_graph.work import Work

__all__ = ["Outcome", "Outcomes", "outcomes", "signature"]

_MOST = 20_000

Signature = Hashable


class Outcome(NamedTuple):
    """What a node comes out as.

    Args:
        outputs: type and shape of each.
        work: of the node; None where its outputs are known without running it.
    """

    outputs: tuple[Output, ...]
    work: Work | None


class Outcomes:
    """Outcomes by signature; forgotten all at once when there are too many."""

    def __init__(self) -> None:
        self._known: dict[Signature, Outcome] = {}
        self.get = self._known.get

    def keep(self, key: Signature, outcome: Outcome) -> None:
        """Remember one."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = outcome


def outcomes(opsets: OpsetVersions) -> Outcomes:
    """Those of models that import these versions of the operators."""
    return _outcomes(tuple(sorted(opsets.items())))


@lru_cache(maxsize=16)
def _outcomes(_: tuple[tuple[str, int], ...]) -> Outcomes:
    return Outcomes()


def signature(node: SourceNode, inputs: Sequence[Value | None], *, constant: bool) -> Signature | None:
    """Everything that a node's outcome follows from; None where that is too much to be kept.

    Args:
        node: without bodies.
        inputs: None for an omitted one.
        constant: all inputs are constants, so that their values may decide whether the outputs can be computed.
    """
    operation, names = node.operation, node.inputs
    if not operation.shared:
        return None
    reads_values = constant or operation.operator not in VALUE_FREE
    parts: list[Hashable] = [operation, len(node.outputs)]
    for value in inputs:
        if value is None:
            parts.append(None)
        elif value.other is not None:
            return None
        else:
            parts.append((value.dtype, value.dims, value.constant))
            if reads_values and value.constant:
                if (values := value.key) is None:
                    return None
                parts.append(values)
    if len(set(names)) < len(names):  # a tensor that is read twice is moved once
        parts.append(tuple(names.index(name) for name in names))
    return tuple(parts)
