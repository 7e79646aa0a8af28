"""Analytic devices, whose latency is a formula of the graph, so that a suite fits and judges predictors in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latcast.schema import Graph, KernelTiming, Node, Target
from predictors.base import LatencyDataset, Query

__all__ = ["DEVICES", "NEW_DEVICE", "AnalyticDevice", "measure"]


@dataclass(frozen=True, kw_only=True)
class AnalyticDevice:
    """A device that takes the roofline and an overhead for each node, times noise.

    A node takes max(FLOPs / peak, bytes / bandwidth) + overhead; grouped convolutions reach only a share of the peak.

    Args:
        name: name of the device.
        flops_per_ms: peak throughput in FLOPs per ms.
        bytes_per_ms: memory bandwidth in bytes per ms.
        overhead_ms: overhead of each node in ms.
        depthwise_efficiency: share of the peak that grouped convolutions reach.
        noise_log: standard deviation of log latency between runs.
    """

    name: str
    flops_per_ms: float = 5e7
    bytes_per_ms: float = 1e7
    overhead_ms: float = 0.005
    depthwise_efficiency: float = 0.2
    noise_log: float = 0.03

    @property
    def target(self) -> Target:
        """The device as a target."""
        return Target(device=self.name, backend="analytic", backend_version="1")

    def node_ms(self, node: Node) -> float:
        """Time of one node in ms, without noise."""
        grouped = node.operator == "Conv" and node.attributes.get("group", 1) != 1
        peak = self.flops_per_ms * (self.depthwise_efficiency if grouped else 1.0)
        moved = node.parameter_bytes + node.input_bytes + node.output_bytes
        return max(node.flops / peak, moved / self.bytes_per_ms) + self.overhead_ms

    def latency_ms(self, graph: Graph) -> float:
        """Time of one graph in ms, without noise."""
        return sum(self.node_ms(node) for node in graph.nodes)

    def kernels(self, graph: Graph) -> tuple[KernelTiming, ...]:
        """Each node as a kernel, without noise."""
        times = [self.node_ms(node) for node in graph.nodes]
        return tuple(_timing(graph, index, time, sum(times)) for index, time in enumerate(times))


DEVICES = (
    AnalyticDevice(name="desktop"),
    AnalyticDevice(name="phone", flops_per_ms=8e6, bytes_per_ms=3e6, overhead_ms=0.02, depthwise_efficiency=0.4),
    AnalyticDevice(name="server", flops_per_ms=2e8, bytes_per_ms=3e7, overhead_ms=0.008, depthwise_efficiency=0.1),
)
"""Devices to train on."""

NEW_DEVICE = AnalyticDevice(
    name="board", flops_per_ms=1.2e6, bytes_per_ms=6e5, overhead_ms=0.06, depthwise_efficiency=0.3
)
"""A device to adapt to: ten to a hundred times slower than those trained on."""


def measure(
    graphs: Sequence[Graph], devices: Sequence[AnalyticDevice], rng: np.random.Generator, *, noise: bool = True
) -> LatencyDataset:
    """A data set of every graph on every device, device by device, with kernels.

    Args:
        graphs: graphs to measure.
        devices: devices to measure on.
        rng: generator of the noise.
        noise: whether latencies have noise; `noise_log` is at least 0.005 in either case.
    """
    rows = [(device, graph) for device in devices for graph in graphs]
    exact = np.array([device.latency_ms(graph) for device, graph in rows])
    spread = np.array([device.noise_log for device, _ in rows]) * noise
    return LatencyDataset(
        queries=[Query(target=device.target, graph=graph) for device, graph in rows],
        latency_ms=exact * np.exp(spread * rng.standard_normal(len(rows))),
        noise_log=np.maximum(spread, 0.005),
        kernels=[device.kernels(graph) for device, graph in rows],
    )


def _timing(graph: Graph, index: int, time_ms: float, total_ms: float) -> KernelTiming:
    node = graph.nodes[index]
    return KernelTiming(
        operator=node.operator,
        share=time_ms / total_ms,
        time_ms=time_ms,
        node=index,
        input_shapes=tuple(graph.tensors[i].shape or () for i in node.inputs),
        output_shapes=tuple(graph.tensors[i].shape or () for i in node.outputs),
        dtype=graph.tensors[node.outputs[0]].dtype,
    )
