"""ONNX Runtime's profiling trace, matched with the graph that it really ran.

The trace names nodes, not tensors, and fusion renames both. So every node is first given the name of its first output
(`name_nodes_by_output`); what the runtime then reports leads back to the model by one of four ways:

1. the executed node is in the optimised graph and one of its outputs still has the model's name (fused nodes keep the
   outputs of what they replace);
2. layout transformation renamed the outputs (`reorder_token_3`) but called the node `<model's output>_nchwc`;
3. only the outputs were renamed: the node still has the name that it was given, which is its output's;
4. fusion made up both: the node is called `<output of what it replaces>/MatMulAddFusion` or the like.

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
from profilers.quantization import original_tensors

__all__ = ["name_nodes_by_output", "read_kernels"]

Event = dict[str, Any]

INVENTED = frozenset({"ReorderInput", "ReorderOutput", "MemcpyFromHost", "MemcpyToHost"})
CONTAINERS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators whose event spans those of their bodies."""

LAYOUT_SUFFIX = re.compile(r"((_bn|_mul)?_nchwc)?(_token_\d+)?$")
NODE_SUFFIX = "_kernel_time"
DTYPES = {"float": "float32", "double": "float64"}


def name_nodes_by_output(model: bytes) -> tuple[bytes, frozenset[str]]:
    """The model with every node named after its first output, and the names of all tensors that nodes produce."""
    proto = onnx.load_model_from_string(model)
    tensors: set[str] = set()
    for node in _all_nodes(proto.graph):
        produced = [name for name in node.output if name]
        node.name = produced[0] if produced else ""
        tensors.update(produced)
    return proto.SerializeToString(), frozenset(tensors)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _all_nodes(body)


def read_kernels(trace: Path, optimised: Path, *, tensors: frozenset[str], warmup: int) -> tuple[KernelRecord, ...]:
    """Kernels in the order of their execution, bodies of Loop, If and Scan counted once, in their operator.

    Args:
        trace: the profiler's JSON file over several runs.
        optimised: the graph that ran, without weights.
        tensors: names of the model's tensors.
        warmup: runs at the beginning that are not evaluated.
    """
    executed = onnx.load_model(str(optimised), load_external_data=False).graph.node
    outputs = {node.name: tuple(node.output) for node in executed}
    by_node: dict[str, list[Event]] = defaultdict(list)
    for event in _outermost(json.loads(trace.read_bytes())):
        by_node[event["name"].removesuffix(NODE_SUFFIX)].append(event)
    return tuple(
        _record(events[warmup:], outputs=_model_outputs(name, events[0], outputs, tensors))
        for name, events in by_node.items()
    )


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


def _model_outputs(
    name: str, event: Event, executed: Mapping[str, tuple[str, ...]], tensors: frozenset[str]
) -> tuple[str, ...]:
    if event["args"].get("op_name") in INVENTED:
        return ()
    kept = original_tensors(output for output in executed.get(name, ()) if output in tensors)
    original = LAYOUT_SUFFIX.sub("", name)
    while original not in tensors and "/" in original:
        original = original.rpartition("/")[0]
    return kept or (original_tensors([original]) if original in tensors else ())


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
    """As robust as the median, and finer than the trace's whole microseconds."""
    quarter = len(durations_us) // 4
    middle = sorted(durations_us)[quarter : len(durations_us) - quarter]
    return sum(middle) / len(middle)
