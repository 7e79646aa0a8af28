"""Synthetic devices unlike any that was measured: what a prior over devices has to allow, though no source shows it.

The cost of each operator is drawn log-uniformly over two orders of magnitude, so that pooling may cost as much as a
convolution; a runtime executes all edges of a cell, or leaves some out; a device has an overhead, a clock that counts
whole steps, and noise. The true latency of every architecture is a formula, so a forecast's error is the predictor's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, InputError
from predictors.base import FloatArray
from predictors.data.importers.help import LatencyTable
from profilers.search_spaces.fbnet import BLOCKS, IMAGE_SHAPE, LAYERS, POSITIONS, STEM_CHANNELS, FBNet
from profilers.search_spaces.fbnet import OPERATORS as BLOCK_OPERATORS
from profilers.search_spaces.nasbench201 import EDGES, NASBench201
from profilers.search_spaces.nasbench201 import OPERATORS as CELL_OPERATORS

__all__ = ["PRUNING", "OddDevice", "draw_devices", "with_odd_devices"]

Rng = np.random.Generator

PRUNING = ("nothing", "unused", "dead", "folded")
"""Which edges of a cell of NAS-Bench-201 a runtime leaves out: none; those whose result nothing needs; those that lie
on no path from input to output; what the phone pixel3 of HELP's tables seems to fold."""

_ORDERS = 2.0
"""Orders of magnitude between the cheapest and the dearest operator."""

_RATE_ORDERS = 1.0
"""The same between the rates at which an FBNet device computes, moves tensors and starts kernels."""

_RATES = 3

_DEPTHWISE = 2.0
"""A multiply-add of a depthwise convolution takes longer than a pointwise one's."""

_ADDITION = 0.3
"""An addition of two tensors is cheaper than most operators."""

_CLOCK_STEPS = 200
"""Steps of a coarse clock in the median latency: whole milliseconds at 200 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OddDevice:
    """A device whose latencies are a formula of the architecture.

    Args:
        name: name of the device.
        space: `nasbench201` or `fbnet`.
        costs: relative cost of each operator. nasbench201: of its `OPERATORS`, and of one addition; fbnet: of the work
            of each block, and of multiply-adds, traffic and launches in it.
        overhead: share of the mean latency that does not depend on the architecture, 0–1.
        mean_ms: mean latency.
        pruning: one of `PRUNING`; counts for nasbench201 alone.
        rounded: whether the clock counts whole steps.
        noise_log: standard deviation of log latency.
    """

    name: str
    space: str
    costs: tuple[float, ...]
    overhead: float
    mean_ms: float
    pruning: str = "nothing"
    rounded: bool = False
    noise_log: float = 0.0

    def latency_ms(self, texts: Sequence[str], rng: Rng) -> FloatArray:
        """Latencies in ms as the device's clock reports them, float64 (n,).

        Args:
            texts: n architectures of the space.
            rng: draws the noise.
        """
        work = self._work(texts)
        relative = self.overhead + (1 - self.overhead) * work / max(float(work.mean()), 1e-12)
        latency = self.mean_ms * relative * np.exp(self.noise_log * rng.standard_normal(len(texts)))
        if not self.rounded:
            return np.asarray(latency)
        step = float(np.median(latency)) / _CLOCK_STEPS
        return np.asarray(np.maximum(np.round(latency / step), 1) * step)

    def _work(self, texts: Sequence[str]) -> FloatArray:
        if self.space == NASBench201.name:
            return _cell_work(texts, self.costs, self.pruning)
        return _chain_work(texts, self.costs)


def draw_devices(
    space: str, count: int, *, seed: int, rounded: bool = False, noise_log: float = 0.0
) -> tuple[OddDevice, ...]:
    """Devices `odd-0` and on, each drawn on its own: more of them leave the first as they are.

    Raises:
        InputError: a space for which no devices are drawn.
    """
    orders = {
        NASBench201.name: [_ORDERS] * (len(CELL_OPERATORS) + 1),
        FBNet.name: [_ORDERS] * len(BLOCK_OPERATORS) + [_RATE_ORDERS] * _RATES,
    }
    if space not in orders:
        raise InputError(f"Odd devices are drawn for {' and '.join(orders)}, not for {space!r}.")
    devices = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        costs = 10 ** -rng.uniform(0, orders[space])
        devices.append(
            OddDevice(
                name=f"odd-{index}",
                space=space,
                costs=tuple(costs.tolist()),
                overhead=float(rng.uniform(0.02, 0.5)),
                mean_ms=float(10 ** rng.uniform(0, 2)),
                pruning=PRUNING[index % len(PRUNING)] if space == NASBench201.name else PRUNING[0],
                rounded=rounded,
                noise_log=noise_log,
            )
        )
    return tuple(devices)


def with_odd_devices(table: LatencyTable, devices: Sequence[OddDevice], *, seed: int) -> LatencyTable:
    """The table with a column for each device."""
    texts = [architecture.text for architecture in table.architectures]
    columns = {
        device.name: device.latency_ms(texts, np.random.default_rng([seed, index, 1]))
        for index, device in enumerate(devices)
    }
    return LatencyTable(
        space=table.space,
        architectures=table.architectures,
        latency_ms={**table.latency_ms, **columns},
        references=table.references,
    )


def _cell_work(texts: Sequence[str], costs: Sequence[float], pruning: str) -> FloatArray:
    space = NASBench201()
    cells = np.array([space.choices(Architecture(space=space.name, text=text)) for text in texts]).reshape(
        -1, len(EDGES)
    )
    kept = _kept_edges(cells > 0, pruning)
    ends = np.array([node for _, node in EDGES])
    additions = sum(np.maximum((kept & (ends == node)).sum(axis=1) - 1, 0) for node in np.unique(ends))
    return np.asarray((np.array(costs[:-1])[cells] * kept).sum(axis=1) + _ADDITION * costs[-1] * additions)


def _kept_edges(live: NDArray[np.bool_], pruning: str) -> NDArray[np.bool_]:
    """Edges that are executed, bool (n, 6), of cells of which these are not `none`."""
    e01, e02, e12, e03, e13, e23 = live.T
    all_of = np.ones(len(live), dtype=bool)
    needed = np.stack([e13 | (e12 & e23), e23, e23, all_of, all_of, all_of], axis=1)
    reached = e02 | (e01 & e12)
    match pruning:
        case "unused":
            return needed
        case "dead":
            return np.asarray(needed & live & np.stack([all_of, all_of, e01, all_of, e01, reached], axis=1))
        case "folded":
            kept: NDArray[np.bool_] = live & (e03 | (e01 & e13) | (reached & e23))[:, None]
            kept[:, 1:3] &= ~(~e23 & e02 & e12)[:, None]
            kept[:, 0] &= ~(~e13 & ~e23 & e02)
            return kept
        case _:
            return np.ones_like(live)


def _chain_work(texts: Sequence[str], costs: Sequence[float]) -> FloatArray:
    rates, operators = np.array(costs[len(BLOCK_OPERATORS) :]), np.array(costs[: len(BLOCK_OPERATORS)])
    parts = _block_parts()
    blocks = (parts / parts.mean(axis=(0, 1)) @ rates) * operators
    code = {name: index for index, name in enumerate(BLOCK_OPERATORS)}
    chosen = np.array([[code[name] for name in text.split("|")] for text in texts], dtype=np.intp)
    return np.asarray(blocks[np.arange(POSITIONS), chosen.reshape(-1, POSITIONS)].sum(axis=1))


def _block_parts() -> FloatArray:
    """Multiply-adds, activations moved, and one for a block that computes: float64 (positions, operators, 3)."""
    rows, side, before = list[list[tuple[float, float, float]]](), IMAGE_SHAPE[-1], STEM_CHANNELS
    for after, stride in LAYERS:
        rows.append([_parts_of(name, side, before, after, stride) for name in BLOCK_OPERATORS])
        side, before = side // stride, after
    return np.array(rows)


def _parts_of(name: str, side: int, before: int, after: int, stride: int) -> tuple[float, float, float]:
    pixels, out, block = side**2, (side // stride) ** 2, BLOCKS[name]
    if block is None:
        same = stride == 1 and before == after
        return (0.0, 0.0, 0.0) if same else (before * after * out, out * after + pixels * before, 0.0)
    hidden = before * block.expansion
    pointwise = (before * hidden * pixels + hidden * after * out) / block.groups
    depthwise = hidden * block.kernel**2 * out
    return pointwise + _DEPTHWISE * depthwise, pixels * (before + 2 * hidden) + out * (2 * hidden + after), 1.0
