"""What a target's multipliers say of its labels, and how far labels lie from that.

Log latency of a graph is nearly linear in the multipliers, with the kernels' cost shares as weights, and so is the log
of all its time in one class. A profiler's times are not what kernels take without a profiler: each class has a factor
of its own in them, which latencies do not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES
from predictors.inference.random_effects import Rows, news_of_like
from predictors.kinds.kernel_sum.sums import Kernels, Labels, factors

__all__ = ["Likelihood"]

_NOISE_FLOOR = 0.02
_CLASS_STD, _CLASS_ROWS = 0.25, 5.0
"""Spread of a class's residual before any was seen, and for how many rows that counts."""
_ALIKE = 0.5
"""Correlation of what two networks of one family differ by from their forecasts: what a family has that the model does
not know of, all its networks have. Otherwise a dozen of one family would speak for all others."""
_BLUR = 3e-3
"""Share of a graph's latency below which a profiler's resolution and cost drown a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How latencies and kernel timings scatter around what multipliers say.

    Args:
        class_std: float64 (C,), standard deviation of log time of one class in one graph.
        graph_std: of what a graph's kernels share.
    """

    class_std: FloatArray = field(default_factory=lambda: np.full(len(CLASSES), _CLASS_STD))
    graph_std: float = 0.1

    def linearised(self, kernels: Kernels, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log latency of n graphs at u, float64 (n,), its gradient (n, d), and the variance that u leaves (n,)."""
        times = kernels.times(u)
        totals = kernels.totals(times)
        shares = kernels.by_class(times) / totals[:, None]
        tilts = kernels.sums(times[:, None] * kernels.tilt) / totals[:, None]
        # Kernels that training knows nothing of are forecast wrong by one factor, so that their errors add up.
        unknown = (kernels.totals(times * np.sqrt(kernels.unknown_variance)) / totals) ** 2
        variance = self.graph_std**2 + shares**2 @ self.class_std**2 + unknown
        design = [np.ones((kernels.count, 1)), shares, tilts, np.zeros_like(shares)]
        return np.log(totals), np.concatenate(design, axis=1), variance

    def rows(
        self,
        kernels: Kernels,
        labels: Labels,
        u: FloatArray,
        *,
        timed: bool = True,
        families: NDArray[np.int64] | None = None,
    ) -> Rows:
        """Latencies of n graphs as linear rows around u; with `timed`, the times of their classes after them.

        Args:
            kernels: of n graphs.
            labels: their latencies and kernel timings.
            u: float64 (d,), where to linearise.
            timed: with a row for all time of one class in one graph, where there are timings.
            families: int64 (n,), number of each graph's family; by default no two graphs are of one.
        """
        log_total, design, variance = self.linearised(kernels, u)
        news = None if families is None else news_of_like(families, _ALIKE)
        rows = Rows(design=design, residual=np.log(labels.latency) - log_total, variance=variance, news=news)
        if not timed:
            return rows
        classes, cells = self._class_rows(kernels, labels, u)
        if families is not None:
            of_family = families[cells // len(CLASSES)] * len(CLASSES) + cells % len(CLASSES)
            news = np.concatenate([news, news_of_like(of_family, _ALIKE)])
        return Rows(
            design=np.concatenate([rows.design, classes.design]),
            residual=np.concatenate([rows.residual, classes.residual]),
            variance=np.concatenate([rows.variance, classes.variance]),
            news=news,
        )

    def groups(self, kernels: Kernels, labels: Labels, u: FloatArray, *, timed: bool = True) -> NDArray[np.int64]:
        """The graph of each of `rows`, int64."""
        graphs = np.arange(kernels.count)
        if not timed:
            return graphs
        _, cells = self._class_rows(kernels, labels, u)
        return np.concatenate([graphs, cells // len(CLASSES)])

    def refined(self, parts: Sequence[tuple[Kernels, Labels, FloatArray]]) -> "Likelihood":
        """Spreads from the residuals of all targets, robustly, each class shrunk towards the usual.

        Args:
            parts: kernels, labels and multipliers, float64 (d,), of each target.
        """
        whole = [self._whole_residuals(*part) for part in parts]
        classes = [self._class_rows(*part) for part in parts]
        kinds = np.concatenate([cells % len(CLASSES) for _, cells in classes])
        residual = np.concatenate([rows.residual for rows, _ in classes])
        excess = _robust_std(np.concatenate([left for left, _ in whole])) ** 2
        excess -= float(np.median(np.concatenate([explained for _, explained in whole])))
        return replace(
            self,
            class_std=np.array([_shrunk_std(residual[kinds == kind]) for kind in range(len(CLASSES))]),
            graph_std=float(np.sqrt(max(excess, _NOISE_FLOOR**2))),
        )

    def scores(self, kernels: Kernels, labels: Labels, u: FloatArray) -> FloatArray:
        """|residual| / standard deviation that u leaves of each graph's log latency, float64 (n,)."""
        log_total, _, variance = self.linearised(kernels, u)
        return np.asarray(np.abs(np.log(labels.latency) - log_total) / np.sqrt(variance))

    def _whole_residuals(self, kernels: Kernels, labels: Labels, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_total, _, variance = self.linearised(kernels, u)
        return np.log(labels.latency) - log_total, variance - self.graph_std**2

    def _class_rows(self, kernels: Kernels, labels: Labels, u: FloatArray) -> tuple[Rows, NDArray[np.int64]]:
        """(a row for the time of each class in each graph that has timings, graph · C + class of each)."""
        seen = np.isfinite(labels.kernel_time)
        times = kernels.times(u)
        cell, forecast, tilt = kernels.cells(times, seen)
        measured = np.bincount(cell[seen], weights=labels.kernel_time[seen], minlength=len(forecast))
        used = np.flatnonzero((forecast > 0) & (measured > 0))
        kinds = used % len(CLASSES)
        one_hot = np.eye(len(CLASSES))[kinds]
        residual = np.log(measured[used]) - np.log(forecast[used]) - factors(u).profiler[kinds]
        blur = _BLUR * labels.latency[used // len(CLASSES)] / measured[used]
        rows = Rows(
            design=np.concatenate([np.ones((len(used), 1)), one_hot, tilt[used], one_hot], axis=1),
            residual=residual,
            variance=self.graph_std**2 + self.class_std[kinds] ** 2 + blur**2,
        )
        return rows, used


def _robust_std(residual: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) if len(residual) else 0.0


def _shrunk_std(residual: FloatArray) -> float:
    rows = len(residual)
    variance = _robust_std(residual) ** 2
    return float(np.sqrt((_CLASS_ROWS * _CLASS_STD**2 + rows * variance) / (_CLASS_ROWS + rows)))
