"""The graphs that `latcast demo` forecasts, and how good the forecasts were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Measurement
from predictors.data.host_drift import sentinel_drift_factors
from predictors.evaluation import metrics
from profilers.search_spaces import get_space

__all__ = [
    "Comparison",
    "Named",
    "compared",
    "evaluation_graphs",
    "figures",
    "light_models",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A graph to forecast and to measure.

    Args:
        name: for the table.
        space, text: an architecture, or
        onnx: a model.
    """

    name: str
    space: str | None = None
    text: str | None = None
    onnx: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A forecast beside its measurement, all in ms.

    Args:
        name: of the graph.
        measured_ms: at the speed that the machine had while the predictor was adapted.
        slowness: how much slower it was in truth while this was measured, by the sentinel; 1 is as fast.
        forecast_ms, interval_ms: what was said before.
    """

    name: str
    measured_ms: float
    slowness: float = 1.0
    forecast_ms: float
    interval_ms: tuple[float, float]

    @property
    def error(self) -> float:
        """Signed relative error of the forecast."""
        return self.forecast_ms / self.measured_ms - 1


def light_models() -> dict[str, bytes]:
    """The models that the onnx package ships for its own tests, by name: classic networks without weights."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return {path.stem.removeprefix("light_"): path.read_bytes() for path in sorted(folder.glob("light_*.onnx"))}


def evaluation_graphs(seed: int, *, cells: int = 5, zoo: int = 6) -> list[Named]:
    """Graphs that are not in training: random NAS-Bench-201 cells, random zoo graphs, and all `light` models."""
    rng = np.random.default_rng([seed, 20])
    picked = [named for space, count in (("nasbench201", cells), ("zoo", zoo)) for named in drawn(space, count, rng)]
    return picked + [Named(name=f"light {name}", onnx=model) for name, model in light_models().items()]


def drawn(space_name: str, count: int, rng: np.random.Generator) -> Iterator[Named]:
    """Distinct architectures at random, none of them degenerate."""
    space = get_space(space_name)
    seen: set[str] = set()
    while len(seen) < count:
        architecture = space.sample(rng)
        if architecture.text not in seen and not space.is_degenerate(architecture):
            seen.add(architecture.text)
            yield Named(name=f"{space_name} {architecture.text}", space=space_name, text=architecture.text)


def compared(
    answers: Sequence[tuple[Named, Mapping[str, Any]]],
    measured: Mapping[str, Measurement],
    *,
    baseline_ms: float | None,
) -> list[Comparison]:
    """Forecasts beside what was measured, at one speed of the machine.

    Args:
        answers: graphs, and what the service answered about them.
        measured: by the graph's name; graphs without a latency are left out.
        baseline_ms: the sentinel's latency while the predictor was adapted.
    """
    pairs = [
        (graph.name, answer, measurement, measurement.summary.median_ms)
        for graph, answer in answers
        if (measurement := measured.get(graph.name)) is not None and measurement.summary is not None
    ]
    drift = sentinel_drift_factors(
        [measurement.sentinel_median_ms for _, _, measurement, _ in pairs],
        [measurement.begun_unix_s for _, _, measurement, _ in pairs],
        baseline_ms=baseline_ms,
    )
    return [
        Comparison(
            name=name,
            measured_ms=latency_ms / slow,
            slowness=slow,
            forecast_ms=answer["latency_ms"],
            interval_ms=tuple(answer["interval_ms"]),
        )
        for (name, answer, _, latency_ms), slow in zip(pairs, drift.tolist(), strict=True)
    ]


def figures(comparisons: Sequence[Comparison], *, measure_s: float, forecast_s: float) -> dict[str, Any]:
    """What `--json` writes: errors, shares and coverage are fractions; times of the whole step in seconds.

    `host_drift` is the share by which the machine was slower while the forecasts were checked than before.
    """
    measured = np.array([item.measured_ms for item in comparisons])
    forecast = np.array([item.forecast_ms for item in comparisons])
    low, high = np.array([item.interval_ms for item in comparisons]).T
    return {
        "graphs": [
            {
                "name": item.name,
                "measured_ms": item.measured_ms,
                "slowness": item.slowness,
                "forecast_ms": item.forecast_ms,
                "interval_ms": list(item.interval_ms),
            }
            for item in comparisons
        ],
        "median_ape": metrics.median_ape(measured, forecast),
        "within_10": metrics.within(measured, forecast, 0.10),
        "within_20": metrics.within(measured, forecast, 0.20),
        "spearman": metrics.spearman(measured, forecast),
        "coverage_90": metrics.interval_coverage(measured, low, high),
        "host_drift": float(np.median([item.slowness for item in comparisons])) - 1,
        "measure_s": measure_s,
        "forecast_s": forecast_s,
    }
