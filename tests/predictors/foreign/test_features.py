"""Features that crossed a pipe are those that were read here, for every kind of predictor; nothing odd passes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latcast.schema import Graph, InvalidModelError, KernelTiming, ModelLimitError, Target
from predictors.base import Query
from predictors.features.coverage import node_costs
from predictors.features.flat import flat_features
from predictors.features.kernels import ExecutionTraits, attribute_timings, kernel_names, kernel_table
from predictors.foreign import features as module
from predictors.foreign.child import read_here
from predictors.foreign.features import FEATURES, MODEL, SUMMARY, features_for, timings_feature, unpacked, weigh
from predictors.networks import GraphFeatures
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.pool import ForeignModel
from profilers.onnx_graph.remarks import described
from profilers.search_spaces import get_space

TARGETS = {
    "onnxruntime": Target(device="d", backend="onnxruntime", backend_version="1"),
    "int8": Target(device="d", backend="onnxruntime", backend_version="1", precision="int8_static"),
    "openvino": Target(device="d", backend="openvino", backend_version="1"),
}
SPACE = get_space("zoo")
CONTENT = SPACE.to_onnx(SPACE.parse(SPACE.example))
GRAPH = load_graph(CONTENT)


def read(*names: str, target: Target = TARGETS["onnxruntime"]) -> GraphFeatures:
    return read_here(ForeignModel(content=CONTENT), features_for(names, target))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_kernels_are_those_that_are_foreseen_here(target: Target) -> None:
    traits = ExecutionTraits.of(target)
    away, here = kernel_table(read("kernels", target=target), traits), kernel_table(GRAPH, traits)
    assert away.operators == here.operators
    for name in ("kinds", "values", "repeats", "known", "graph"):
        assert_array_equal(getattr(away, name), getattr(here, name))
    assert list(kernel_names(read("kernel_names", target=target), traits)) == list(kernel_names(GRAPH, traits))


def test_flat_features_and_costs_are_those_that_are_read_here() -> None:
    away = read("flat", "costs")
    assert_array_equal(flat_features([away]), flat_features([GRAPH]))
    assert list(node_costs(away)) == list(node_costs(GRAPH))


def test_times_of_kernels_are_attributed_alike() -> None:
    timings = [KernelTiming(operator="Conv", share=0.1, time_ms=at + 0.5, node=at) for at in range(0, 40, 3)]
    wanted = timings_feature(timings, ExecutionTraits())
    away = read_here(ForeignModel(content=CONTENT), [wanted]).feature(wanted)
    assert_array_equal(away, attribute_timings(GRAPH, timings))


def test_the_record_the_summary_and_the_model_are_features_too() -> None:
    away = read("record", "summary", "compressed_model")
    assert away.feature(("record",)) == GRAPH
    assert away.feature(SUMMARY) == described(GRAPH)
    assert isinstance(away.feature(MODEL), bytes)


def test_forecasts_are_the_same_to_the_last_bit() -> None:
    predictor, target = pretrained("universal-graphs"), TARGETS["onnxruntime"]
    away = _Away(target, read(*predictor.fitted_capabilities().features))
    here = Query(target=target, graph=GRAPH)
    assert_array_equal(predictor.predict([away]).median_ms, predictor.predict([here]).median_ms)
    assert_array_equal(predictor.coverage([away]), predictor.coverage([here]))
    assert predictor.unknown_operators(away) == predictor.unknown_operators(here)


class _Away(Query):
    """A query whose graph is in another process."""

    def __init__(self, target: Target, network: GraphFeatures) -> None:
        self.target, self.architecture, self._network = target, None, network

    @property
    def network(self) -> GraphFeatures:
        return self._network


def test_more_kernels_than_fit_are_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KERNELS", 3)
    away = read("kernels", "flat")
    with pytest.raises(ModelLimitError, match="kernels = 3"):
        kernel_table(away)
    assert len(flat_features([away])) == 1


def test_weights_grow_with_what_is_kept() -> None:
    table = kernel_table(GRAPH)
    assert weigh(table) > table.values.nbytes
    assert weigh(np.zeros(1000)) > 8000
    assert weigh(["a" * 100] * 10) > 1000
    assert weigh({"a": b"x" * 500}) > 500
    assert weigh(replace(GRAPH, hash="other")) > 1000 * len(GRAPH.nodes)
    assert weigh(InvalidModelError("x")) >= weigh(1) > 0


def packed(name: str) -> tuple[Any, dict[str, Any]]:
    (feature,) = features_for([name], TARGETS["onnxruntime"])
    plain, arrays = FEATURES[name].pack(GRAPH, *feature[1:])
    return plain, dict(arrays)


def refuse(name: str, plain: Any, arrays: dict[str, Any]) -> None:
    (feature,) = features_for([name], TARGETS["onnxruntime"])
    with pytest.raises(InvalidModelError, match="malformed"):
        unpacked(feature, plain, arrays)


@pytest.mark.parametrize(
    ("name", "array", "value"),
    [
        ("kernels", "kinds", np.array([99], dtype=np.int64)),
        ("kernels", "kinds", np.zeros(3, dtype=np.int32)),
        ("kernels", "values", np.zeros((2, 2))),
        ("kernels", "operators", np.array([9999], dtype=np.int32)),
        ("kernels", "repeats", np.zeros(1)),
        ("kernel_names", "sizes", np.array([-1, 1], dtype=np.int64)),
        ("flat", "vector", np.zeros(3)),
        ("costs", "numbers", np.zeros((1, 2))),
        ("costs", "operators", np.array([-1], dtype=np.int32)),
    ],
)
def test_odd_arrays_are_refused(name: str, array: str, value: Any) -> None:
    plain, arrays = packed(name)
    refuse(name, plain, {**arrays, array: value})


def test_odd_texts_and_missing_arrays_are_refused() -> None:
    plain, arrays = packed("kernels")
    refuse("kernels", None, arrays)
    refuse("kernels", [1, 2], arrays)
    refuse("kernels", plain, {})
    refuse("kernel_names", ["a"], {"sizes": np.array([], dtype=np.int64)})
    refuse("summary", [], {})


def test_values_do_not_keep_the_message_that_they_came_in() -> None:
    assert isinstance(GRAPH, Graph)
    plain, arrays = packed("flat")
    vector = unpacked(("flat",), plain, arrays)
    assert not np.shares_memory(vector, arrays["vector"])
    assert not vector.flags.writeable
