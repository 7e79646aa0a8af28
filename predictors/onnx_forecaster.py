"""ONNX bytes to a forecast, in this process, for one target: what a tool that compiles or searches networks asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from latcast.schema import Graph, GraphHash, Target
from predictors.base import Predictor, Query
from profilers.onnx_graph.isolated.cache import KnownModels, model_key

__all__ = ["ModelForecast", "ModelForecaster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelForecast:
    """How long a model is expected to run.

    Args:
        graph: content hash of what was forecast.
        latency_ms: median in ms.
        interval_ms: (low, high) in ms, that holds the latency with the asked probability; None if none is claimed.
    """

    graph: GraphHash
    latency_ms: float
    interval_ms: tuple[float, float] | None


CACHE_BYTES, FORECAST_BYTES = 4 * 2**20, 800
"""What all forecasts that are kept may take, and what one takes."""


class ReadsModels(Protocol):
    """Reads foreign models in a process with limits: `profilers.onnx_graph.GraphLoader`."""

    def load(
        self,
        model: bytes,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Graph:
        """The graph of a model."""
        ...


class ModelForecaster:
    """Forecasts for models on one target. Thread-safe where the predictor is; the latest models' answers are kept.

    Args:
        predictor: fitted, and adapted to the target where there were measurements.
        target: that the models would run on.
        loader: reads the models.
        level: probability that the interval holds the latency, in (0, 1).
    """

    def __init__(self, predictor: Predictor, target: Target, loader: ReadsModels, *, level: float = 0.9) -> None:
        self._predictor, self._target, self._loader, self._level = predictor, target, loader, level
        self._known: KnownModels[ModelForecast] = KnownModels(CACHE_BYTES)

    def forecast(
        self,
        model: bytes,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> ModelForecast:
        """The forecast for a model.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.

        Raises:
            InvalidModelError: the model cannot be read, or is too large.
            UnsupportedGraphError: the predictor has no forecast for such a graph.
        """
        key = model_key(model, shapes, dims)
        return self._known.get(key) or self._known.keep(key, self._first(model, shapes, dims), FORECAST_BYTES)

    def _first(
        self, model: bytes, shapes: Mapping[str, Sequence[int]] | None, dims: Mapping[str, int] | None
    ) -> ModelForecast:
        graph = self._loader.load(model, shapes=shapes, dims=dims)
        prediction = self._predictor.predict([Query(target=self._target, graph=graph)])
        (interval,) = prediction.claimed_intervals_ms(self._level)
        return ModelForecast(graph=graph.hash, latency_ms=float(prediction.median_ms[0]), interval_ms=interval)
