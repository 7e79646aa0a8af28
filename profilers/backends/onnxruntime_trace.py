"""ONNX Runtime's profiling trace, matched with the graph that it really ran.

The trace names nodes, not tensors, and fusion renames both. So every node is first given the name of its first output
(`profilers.backends.node_names`); what the runtime then reports leads back to the model by one of five ways:

1. the executed node is in the optimised graph and one of its outputs still has the model's name (fused nodes keep the
   outputs of what they replace);
2. layout transformation renamed the outputs (`reorder_token_3`) but called the node `<model's output>_nchwc`;
3. only the outputs were renamed: the node still has the name that it was given, which is its output's;
4. fusion made up both: the node is called `<output of what it replaces>/MatMulAddFusion` or the like;
5. the runtime made it up altogether, but it is a part of what comes next in the executed graph: a reshape before a
   fused `Gemm`, a node out of a function's body (`HardSwish`), a kernel whose output only a change of layout gives its
   name back.

Layout changes that the runtime inserted belong to no node of the model.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from profilers.backends.base import KernelRecord
from profilers.quantisation import original_tensors

__all__ = ["has_loops", "read_kernels"]

Event = dict[str, Any]

INVENTED = frozenset({"ReorderInput", "ReorderOutput", "MemcpyFromHost", "MemcpyToHost"})
CONTAINERS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators whose event spans those of their bodies."""

SHAPES = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})

LAYOUT_SUFFIX = re.compile(r"((_bn|_mul)?_nchwc)?(_token_\d+)?$")
NODE_SUFFIX = "_kernel_time"
DTYPES = {"float": "float32", "double": "float64"}


def has_loops(nodes: Iterable[onnx.NodeProto]) -> bool:
    """Whether one of the nodes runs others several times, so that the size of a trace is unknown beforehand."""
    return any(node.op_type in CONTAINERS - {"If"} for node in nodes)


def read_kernels(trace: Path, optimised: Path, *, tensors: frozenset[str], warmup: int) -> tuple[KernelRecord, ...]:
    """Kernels in the order of their execution, bodies of Loop, If and Scan counted once, in their operator.

    Args:
        trace: the profiler's JSON file over several runs.
        optimised: the graph that ran, without weights.
        tensors: names of the model's tensors.
        warmup: runs at the beginning that are not evaluated.
    """
    by_node: dict[str, list[Event]] = defaultdict(list)
    for event in _outermost(json.loads(trace.read_bytes())):
        by_node[event["name"].removesuffix(NODE_SUFFIX)].append(event)
    executed = onnx.load_model(str(optimised), load_external_data=False).graph.node
    origins = _Origins(_with_names(executed, by_node), tensors)
    return tuple(_record(events[warmup:], outputs=origins.of(name)) for name, events in by_node.items())


def _with_names(executed: Sequence[onnx.NodeProto], reported: Iterable[str]) -> dict[str, onnx.NodeProto]:
    """The executed nodes by the names that the trace calls them by.

    A node without a name, which comes from a function's body, is reported as its operator and a number that grows with
    its place in the graph.
    """
    named = {node.name: node for node in executed if node.name}
    numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in reported:
        operator, _, number = name.rpartition("_")
        if name not in named and number.isdigit():
            numbered[operator].append((int(number), name))
    for operator, places in numbered.items():
        nodes = [node for node in executed if not node.name and node.op_type == operator]
        if len(nodes) == len(places):
            named.update({name: node for (_, name), node in zip(sorted(places), nodes, strict=True)})
    return named


def _outermost(events: Iterable[Event]) -> Iterator[Event]:
    """Node events that lie in no container's event, by start time."""
    nodes = sorted((event for event in events if event.get("cat") == "Node"), key=lambda e: (e["ts"], -e["dur"]))
    busy_until = -1
    for event in nodes:
        if event["ts"] + event["dur"] <= busy_until:
            continue
        if event["args"].get("op_name") in CONTAINERS:
            busy_until = event["ts"] + event["dur"]
        yield event


class _Origins:
    """Which tensors of the model the executed nodes produce.

    Args:
        executed: nodes by the trace's names.
        tensors: names of the model's tensors.
    """

    def __init__(self, executed: Mapping[str, onnx.NodeProto], tensors: frozenset[str]) -> None:
        self._nodes, self._tensors = executed, tensors
        self._consumers: dict[str, list[str]] = defaultdict(list)
        for name, node in executed.items():
            for tensor in node.input:
                self._consumers[tensor].append(name)

    def of(self, name: str) -> tuple[str, ...]:
        """Names of the tensors; none for a change of layout, and where nothing leads back."""
        node = self._nodes.get(name)
        if node is not None and node.op_type in INVENTED:
            return ()
        return self._kept(name) or self._named(name) or (() if node is None else self._next(node))

    def _kept(self, name: str) -> tuple[str, ...]:
        outputs = self._nodes[name].output if name in self._nodes else ()
        return original_tensors(output for output in outputs if output in self._tensors)

    def _named(self, name: str) -> tuple[str, ...]:
        original = LAYOUT_SUFFIX.sub("", name)
        while original not in self._tensors and "/" in original:
            original = original.rpartition("/")[0]
        return original_tensors([original]) if original in self._tensors else ()

    def _next(self, node: onnx.NodeProto) -> tuple[str, ...]:
        """What the first consumer produces, where the node is a part of it or the consumer changes the layout only."""
        is_part = not node.name or node.op_type in SHAPES
        for name in (consumer for output in node.output for consumer in self._consumers[output]):
            if self._nodes[name].op_type in INVENTED:
                return self._kept(name)
            if is_part:
                return self.of(name)
        return ()


def _record(events: Sequence[Event], *, outputs: tuple[str, ...]) -> KernelRecord:
    arguments = events[0]["args"]
    produced = arguments.get("output_type_shape", [])
    element = next(iter(produced[0]), "") if produced else ""
    return KernelRecord(
        operator=arguments.get("op_name", ""),
        time_us=_interquartile_mean([event["dur"] for event in events]),
        outputs=outputs,
        input_shapes=_shapes(arguments.get("input_type_shape", [])),
        output_shapes=_shapes(produced),
        dtype=DTYPES.get(element, element),
    )


def _shapes(described: Iterable[Mapping[str, Sequence[int]]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(shape) for entry in described for shape in entry.values())


def _interquartile_mean(durations_us: Sequence[int]) -> float:
    """The mean of the middle values: as robust as the median, and finer than the trace's whole microseconds."""
    quarter = len(durations_us) // 4
    middle = sorted(durations_us)[quarter : len(durations_us) - quarter]
    return sum(middle) / len(middle)
