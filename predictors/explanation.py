"""Why a forecast is what it is: by kernel, beside which measured graphs, and which measurement would help most.

A predictor that sums over kernels tells each one's part (`Explains`); everything else follows from these and from the
graph. Where a kernel stands on the roofline (Williams, Waterman and Patterson, Communications of the ACM 52, 2009) is
judged by peaks that the predictor itself gives the target: what it forecasts for one large product, one large sum and a
chain of tiny kernels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from latcast.schema import Graph, InputError, Target
from predictors.base import FloatArray, Predictor, Query
from predictors.features.kernels import CLASSES, ExecutionTraits, KernelTable, column_places, kernel_names
from predictors.features.probe_graphs import PRODUCT, SUM_BYTES, launch_graph, product_graph, sum_graph
from predictors.samplers.base import HasAdaptationFeatures
from predictors.samplers.variance import VarianceSampler

__all__ = [
    "ExplainedKernel",
    "Explains",
    "Explanation",
    "KernelForecasts",
    "Peaks",
    "cost_profile",
    "explain",
    "measure_next",
    "profile_distance",
]

_WORK = column_places(("macs", "operations", "input_bytes", "output_bytes", "parameter_bytes"))
_LEVEL = 0.9
_MOSTLY = 0.5
"""Share of a kernel's time that makes the launch what bounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelForecasts:
    """The parts of one graph's forecast.

    Args:
        table: the kernels that the target is expected to execute, in order.
        latency_ms: float64 (n,), of all runs of each in one run of the graph; they add up to the forecast.
        known: bool (n,), whether training has seen the operator in about this size.
    """

    table: KernelTable
    latency_ms: FloatArray
    known: np.ndarray


@runtime_checkable
class Explains(Protocol):
    """A predictor whose forecast is a sum over kernels."""

    def explain(self, query: Query) -> KernelForecasts:
        """The parts of the query's forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What a target can do at best, as its predictor has it.

    Args:
        gflops: floating-point operations, 10⁹ in a second.
        gbytes: memory traffic, 10⁹ bytes in a second.
        launch_ms: of a kernel that does next to nothing.
    """

    gflops: float
    gbytes: float
    launch_ms: float

    @property
    def ridge(self) -> float:
        """FLOPs for each byte above which arithmetic is what bounds."""
        return self.gflops / self.gbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedKernel:
    """One kernel's part of a forecast.

    Args:
        operator: what it runs.
        kind: its class, see `predictors.features.kernels.CLASSES`.
        nodes: names of the nodes that it covers, or of their outputs where they have none.
        latency_ms: of all its runs in one run of the graph.
        share: of the whole forecast, 0–1.
        repeats: how often it runs.
        flops: of one run, padding included.
        moved_bytes: that one run has to read and write at least.
        intensity: FLOPs for each of these bytes.
        gflops: that it achieves, 10⁹ in a second.
        bound: `compute`, `memory` or `launch`: what its roofline says limits it.
        efficiency: what the roofline says it would take at best, as a share of its forecast; 0–1.
        known: training has seen its operator in about this size.
    """

    operator: str
    kind: str
    nodes: tuple[str, ...]
    latency_ms: float
    share: float
    repeats: float
    flops: float
    moved_bytes: float
    intensity: float
    gflops: float
    bound: str
    efficiency: float
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A forecast and what it consists of.

    Args:
        latency_ms: the forecast.
        interval_ms: 90 % of it; None where the predictor claims nothing.
        coverage: share of it in operators and sizes that training has seen.
        unknown_operators: that it has not.
        kernels: in order of execution.
        peaks: of the target.
    """

    latency_ms: float
    interval_ms: tuple[float, float] | None
    coverage: float
    unknown_operators: tuple[str, ...]
    kernels: tuple[ExplainedKernel, ...]
    peaks: Peaks

    def shares(self, attribute: str) -> dict[str, float]:
        """Share of the forecast by `kind`, `operator` or `bound`, largest first."""
        shares: dict[str, float] = {}
        for kernel in self.kernels:
            name = getattr(kernel, attribute)
            shares[name] = shares.get(name, 0.0) + kernel.share
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def explain(predictor: Predictor, query: Query) -> Explanation:
    """Explain what a predictor says of a query.

    Raises:
        InputError: the predictor does not sum over kernels.
        NotFittedError: the predictor is not fitted.
    """
    parts = _parts(predictor, query)
    prediction = predictor.predict([query])
    (interval,) = prediction.claimed_intervals_ms(_LEVEL)
    peaks = _peaks(predictor, query.target)
    total = float(parts.latency_ms.sum())
    names = kernel_names(query.network, ExecutionTraits.of(query.target))
    return Explanation(
        latency_ms=float(prediction.median_ms[0]),
        interval_ms=interval,
        coverage=float(predictor.coverage([query])[0]),
        unknown_operators=predictor.unknown_operators(query),
        kernels=tuple(
            _explained(parts, place, nodes=nodes, share=parts.latency_ms[place] / total, peaks=peaks)
            for place, nodes in enumerate(names)
        ),
        peaks=peaks,
    )


def cost_profile(predictor: Predictor, query: Query) -> dict[str, float]:
    """Share of each class of kernels in the query's forecast, as `Explanation.shares("kind")`.

    Raises:
        InputError, NotFittedError: as `explain`.
    """
    parts = _parts(predictor, query)
    times = np.bincount(parts.table.kinds, weights=parts.latency_ms, minlength=len(CLASSES))
    present = np.unique(parts.table.kinds)
    return {CLASSES[kind]: float(times[kind] / times.sum()) for kind in present.tolist()}


def profile_distance(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """How differently two graphs spend their time: total variation of their shares by class, 0 (alike) to 1."""
    return 0.5 * sum(abs(left.get(kind, 0.0) - right.get(kind, 0.0)) for kind in {*left, *right})


def measure_next(
    predictor: Predictor, query: Query, candidates: Sequence[Query], measured: Sequence[Query] = ()
) -> list[tuple[int, float]]:
    """Which candidate's measurement would remove most of the variance of the query's forecast.

    Log latency is Gaussian, as `adaptation_features` has it; it is conditioned on what is measured, and the variance
    that one more measurement removes is K_qj² / (K_jj + noise²) (as `greedy_variance`).

    Args:
        predictor: with `adaptation_features`; another one gives an empty list.
        query: that a forecast is wanted of.
        candidates: that could be measured.
        measured: what was measured on the target already.

    Returns:
        (index of the candidate, share of the query's variance that it removes), the most useful first.
    """
    if not isinstance(predictor, HasAdaptationFeatures) or not candidates:
        return []
    features = predictor.adaptation_features([query, *candidates, *measured])
    covariance = features @ features.T
    first = 1 + len(candidates)
    for row in range(first, len(features)):
        column = covariance[:, row]
        covariance = covariance - np.outer(column, column) / (column[row] + VarianceSampler.noise_log**2)
    variance = np.diag(covariance)[1:first] + VarianceSampler.noise_log**2
    removed = covariance[0, 1:first] ** 2 / variance / max(float(covariance[0, 0]), 1e-12)
    return [(int(index), float(removed[index])) for index in np.argsort(-removed, kind="stable")]


def _parts(predictor: Predictor, query: Query) -> KernelForecasts:
    if not isinstance(predictor, Explains):
        raise InputError(f"The predictor {predictor.kind!r} does not forecast by kernel, so it cannot be explained: "
                         "choose another one, for example kernel_sum.")  # fmt: skip
    return predictor.explain(query)


def _explained(
    parts: KernelForecasts, place: int, *, nodes: tuple[str, ...], share: float, peaks: Peaks
) -> ExplainedKernel:
    table, latency_ms = parts.table, float(parts.latency_ms[place])
    macs, operations, *traffic = table.values[place, _WORK].tolist()
    repeats = max(float(table.repeats[place]), 1e-9)
    once_ms = max(latency_ms / repeats, 1e-12)
    flops, moved = 2 * macs + operations, sum(traffic)
    compute_ms, memory_ms = flops / peaks.gflops / 1e6, moved / peaks.gbytes / 1e6
    return ExplainedKernel(
        operator=table.operators[place],
        kind=CLASSES[table.kinds[place]],
        nodes=nodes,
        latency_ms=latency_ms,
        share=float(share),
        repeats=float(table.repeats[place]),
        flops=flops,
        moved_bytes=moved,
        intensity=flops / moved if moved else 0.0,
        gflops=flops / once_ms / 1e6,
        bound=_bound(peaks.launch_ms / once_ms, compute_ms, memory_ms),
        efficiency=min(1.0, max(compute_ms, memory_ms) / once_ms),
        known=bool(parts.known[place]),
    )


def _bound(launch_share: float, compute_ms: float, memory_ms: float) -> str:
    if launch_share >= _MOSTLY or not (compute_ms or memory_ms):
        return "launch"
    return "compute" if compute_ms >= memory_ms else "memory"


def _peaks(predictor: Predictor, target: Target) -> Peaks:
    """What the predictor says of graphs that do nothing but compute, nothing but move, and next to nothing."""
    rows, inner, columns = PRODUCT
    product = _largest_ms(predictor, target, product_graph())
    moved = _largest_ms(predictor, target, sum_graph())
    chain = _parts(predictor, Query(target=target, graph=launch_graph()))
    return Peaks(
        gflops=2 * rows * inner * columns / product / 1e6,
        gbytes=3 * SUM_BYTES / moved / 1e6,
        launch_ms=float(np.median(chain.latency_ms)),
    )


def _largest_ms(predictor: Predictor, target: Target, graph: Graph) -> float:
    return float(_parts(predictor, Query(target=target, graph=graph)).latency_ms.max())
