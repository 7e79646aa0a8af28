"""From ONNX bytes to a forecast."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from latcast.schema import Graph, InvalidModelError, Target
from predictors.base import LatencyDataset, Query
from predictors.foreign.reader import ForeignReader
from predictors.kinds.flops import FlopsPredictor
from predictors.onnx_forecaster import ModelForecaster
from profilers.onnx_graph import load_graph

_LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
_TARGET = Target(device="d", backend="fake", backend_version="1", precision="fp32", threads=1, options={})


class _CountingLoader:
    """Reads models in this process, and counts them."""

    def __init__(self) -> None:
        self.loaded = 0

    def load(self, model: bytes, *, shapes=None, dims=None) -> Graph:
        self.loaded += 1
        return load_graph(model, shapes=shapes, dims=dims)


@pytest.fixture(scope="module")
def predictor() -> FlopsPredictor:
    names = ("squeezenet", "vgg19", "zfnet512", "bvlc_alexnet")
    graphs = [load_graph((_LIGHT / f"light_{name}.onnx").read_bytes()) for name in names]
    queries = [Query(target=_TARGET, graph=graph) for graph in graphs]
    return FlopsPredictor().fit(LatencyDataset(queries=queries, latency_ms=np.array([3.0, 90.0, 12.0, 9.0])))


def test_the_forecast_is_the_predictors(predictor: FlopsPredictor):
    model = (_LIGHT / "light_squeezenet.onnx").read_bytes()
    forecast = ModelForecaster(predictor, _TARGET, _CountingLoader()).forecast(model)
    graph = load_graph(model)
    prediction = predictor.predict([Query(target=_TARGET, graph=graph)])
    assert forecast.graph == graph.hash
    assert forecast.latency_ms == prediction.median_ms[0]
    if forecast.interval_ms is not None:
        assert forecast.interval_ms == tuple(float(bound[0]) for bound in prediction.interval_ms(0.9))


def test_the_same_bytes_are_read_once(predictor: FlopsPredictor):
    loader = _CountingLoader()
    forecaster = ModelForecaster(predictor, _TARGET, loader)
    model = (_LIGHT / "light_squeezenet.onnx").read_bytes()
    assert forecaster.forecast(model) is forecaster.forecast(bytes(bytearray(model)))
    assert loader.loaded == 1
    with pytest.raises(InvalidModelError):
        forecaster.forecast(b"no model")
    with pytest.raises(InvalidModelError):
        forecaster.forecast(b"no model")
    assert loader.loaded == 3


def test_kernels_are_foreseen_in_a_limited_process(predictor: FlopsPredictor):
    model = (_LIGHT / "light_squeezenet.onnx").read_bytes()
    with ForeignReader(workers=1) as reader:
        forecast = ModelForecaster(predictor, _TARGET, reader).forecast(model)
        with pytest.raises(InvalidModelError):
            ModelForecaster(predictor, _TARGET, reader).forecast(b"no model")
    here = ModelForecaster(predictor, _TARGET, _CountingLoader()).forecast(model)
    assert forecast.graph == here.graph
    assert forecast.latency_ms == pytest.approx(here.latency_ms, rel=1e-9)
