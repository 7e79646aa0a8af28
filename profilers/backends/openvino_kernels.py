"""OpenVINO's performance counters, matched with the model's graph.

OpenVINO keeps the names of the ONNX nodes that a kernel was fused from (`originalLayersNames`), among names that it
made up. So every node is first given a name that says its position and holds no comma (`name_nodes_by_position`); a
kernel produces the outputs of the last of its nodes. Reorders, which OpenVINO inserted, have none. Recurrent networks
lose their names and keep their order.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import onnx

from profilers.backends.base import KernelRecord
from profilers.backends.node_names import position, produced

__all__ = ["KernelReader"]

DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64", "boolean": "bool", "i8": "int8",
          "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32"}  # fmt: skip

RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
RECURRENT_KERNELS = frozenset({"RNNSeq", "RNNCell"})
HALF_A_MICROSECOND = 0.5


class KernelReader:
    """Turns counters into kernels.

    Args:
        executed: OpenVINO's description of the graph that it runs (`CompiledModel.get_runtime_model`).
        nodes: nodes of the model.
    """

    def __init__(self, executed: Any, nodes: Sequence[onnx.NodeProto]) -> None:
        self._nodes = {node.friendly_name: node for node in executed.get_ordered_ops()}
        self._outputs = [produced(node) for node in nodes]
        self._positions = {name: index for index, names in enumerate(self._outputs) for name in names}
        self._positions.update(self._recurrent(nodes))
        self._ran: set[str] = set()
        self._warm_us: dict[str, float] = {}
        self._warmup = 0

    def _recurrent(self, nodes: Sequence[onnx.NodeProto]) -> dict[str, int]:
        """Positions by the names that OpenVINO makes up for recurrent networks, a direction each, in the same order."""
        kernels = [name for name, node in self._nodes.items() if _fact(node, "layerType") in RECURRENT_KERNELS]
        directions = [
            index for index, node in enumerate(nodes) if node.op_type in RECURRENT for _ in range(_directions(node))
        ]
        return dict(zip(kernels, directions, strict=True)) if len(kernels) == len(directions) else {}

    def notice(self, counters: Sequence[Any]) -> None:
        """Take the counters after one more warming run.

        A kernel whose average is below 1 µs counts as not run; in the first runs, which are slow, hardly any does.
        """
        self._ran.update(entry.node_name for entry in counters if entry.status.name == "EXECUTED")
        self._warm_us = {entry.node_name: _us(entry) for entry in counters}
        self._warmup += 1

    def records(self, counters: Sequence[Any], *, runs: int) -> tuple[KernelRecord, ...]:
        """A record of each kernel that ran, from the counters after `runs` more runs.

        Counters are averages over all runs since the model was compiled: from these and those of the warming runs
        follows the average over the runs in between.
        """
        return tuple(
            self._record(entry, time_us=self._mean_us(entry, runs))
            for entry in counters
            if entry.node_name in self._ran
        )

    def _mean_us(self, entry: Any, runs: int) -> float:
        """Time of one run in µs. Half a µs is what the counters lose on average, for they hold whole ones."""
        total_us = _us(entry) * (self._warmup + runs) - self._warm_us[entry.node_name] * self._warmup
        return max(0.0, total_us / runs) + HALF_A_MICROSECOND

    def _record(self, entry: Any, *, time_us: float) -> KernelRecord:
        node = self._nodes.get(entry.node_name)
        if node is None:
            return KernelRecord(operator=entry.node_type, time_us=time_us)
        element = _fact(node, "outputPrecisions").split(",")[0]
        return KernelRecord(
            operator=entry.node_type,
            time_us=time_us,
            outputs=self._produced(node),
            input_shapes=_shapes(port.get_partial_shape() for port in node.inputs()),
            output_shapes=_shapes(port.get_partial_shape() for port in node.outputs()),
            dtype=DTYPES.get(element, element),
        )

    def _produced(self, node: Any) -> tuple[str, ...]:
        """Outputs of the last of the nodes that a kernel came from.

        Where OpenVINO wrote a node anew, as a kernel and a reshape that costs nothing, the latter kept its name.
        """
        while node is not None:
            positions = [index for index in map(self._position, _origins(node)) if index is not None]
            if positions:
                return self._outputs[max(positions)]
            node = self._free_successor(node)
        return ()

    def _free_successor(self, node: Any) -> Any:
        """The only consumer of the node's output, if it takes no time; None for a change of layout."""
        consumers = [port.get_node() for output in node.outputs() for port in output.get_target_inputs()]
        is_reorder = _fact(node, "layerType") == "Reorder"
        alone = len(consumers) == 1 and not is_reorder and consumers[0].friendly_name not in self._ran
        return consumers[0] if alone else None

    def _position(self, name: str) -> int | None:
        """The position of the node with that name; the last nodes of a graph are called like their output."""
        place = position(name)
        return self._positions.get(name) if place is None else place


def _directions(node: onnx.NodeProto) -> int:
    return 1 + any(attribute.name == "direction" and attribute.s == b"bidirectional" for attribute in node.attribute)


def _us(entry: Any) -> float:
    return float(entry.real_time.total_seconds() * 1e6)


def _fact(node: Any, key: str) -> str:
    facts = node.get_rt_info()
    return str(facts[key].astype(str)) if key in facts else ""


def _origins(node: Any) -> list[str]:
    return _fact(node, "originalLayersNames").split(",")


def _shapes(partial: Iterable[Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(axis.get_length() if axis.is_static else 1 for axis in shape) for shape in partial)
