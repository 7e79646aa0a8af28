"""ONNX bytes to a forecast for one target, without a service: what a tool that compiles or searches networks asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latcast.schema import Graph, GraphHash, Target
from predictors.base import Predictor, Query
from predictors.foreign.reader import ReadsFeatures, read_query
from profilers.onnx_graph.isolated.cache import KnownModels, model_key
from profilers.onnx_graph.isolated.model_file import whole
from profilers.onnx_graph.isolated.pool import ForeignModel

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


@runtime_checkable
class ReadsModels(Protocol):
    """Reads records of models in a process with limits: `profilers.onnx_graph.GraphLoader`."""

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
        reader: reads the models and what the predictor needs of them (`predictors.foreign.reader.ForeignReader`). One
            that reads their records alone (`profilers.onnx_graph.GraphLoader`) leaves it to this process to find their
            kernels: for models of one's own.
        level: probability that the interval holds the latency, in (0, 1).
    """

    def __init__(
        self, predictor: Predictor, target: Target, reader: ReadsFeatures | ReadsModels, *, level: float = 0.9
    ) -> None:
        self._predictor, self._target, self._reader, self._level = predictor, target, reader, level
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
        query = self._query(ForeignModel(content=model, shapes=shapes, dims=dims))
        prediction = self._predictor.predict([query])
        (interval,) = prediction.claimed_intervals_ms(self._level)
        return ModelForecast(graph=query.network.hash, latency_ms=float(prediction.median_ms[0]), interval_ms=interval)

    def _query(self, model: ForeignModel) -> Query:
        if isinstance(self._reader, ReadsModels):
            graph = self._reader.load(whole(model.content), shapes=model.shapes, dims=model.dims)
            return Query(target=self._target, graph=graph)
        return read_query(self._reader, model, predictor=self._predictor, target=self._target)
