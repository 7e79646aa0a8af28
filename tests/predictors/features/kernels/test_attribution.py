"""Executed kernels' times reach the predicted kernels that they belong to."""

import numpy as np

from latcast.schema import KernelTiming
from predictors.features.kernels import (
    attribute_timings,
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    Model,
)


def _timing(operator: str, time_ms: float, node: int | None, *shape: int) -> KernelTiming:
    return KernelTiming(operator=operator, share=0.1, time_ms=time_ms, node=node, output_shapes=(shape,))


def test_timings_reach_their_kernels() -> None:
    model = Model()
    x = model("Relu", model.batch_norm(model.conv(model.input(1, 16, 8, 8), 16, 32), 32))
    graph = load_graph(model.build(model("Elu", x)))
    timings = [
        _timing("ReorderInput", 1.0, None, 1, 16, 8, 8),
        _timing("Conv", 5.0, 2, 1, 32, 8, 8),
        _timing("ReorderOutput", 2.0, 2, 1, 32, 8, 8),
        _timing("Elu", 3.0, 3, 1, 32, 8, 8),
    ]
    assert [k.operator for k in predict_kernels(graph)] == ["Call", "ReorderInput", "Conv", "ReorderOutput", "Elu"]
    assert attribute_timings(graph, timings)[1:].tolist() == [1.0, 5.0, 2.0, 3.0]


def test_renamed_and_taken_apart_kernels_are_found() -> None:
    model = Model(opset=18)
    x = model.linear(model.input(2, 8, 64), 64, 32)
    graph = load_graph(model.build(model("Mish", x)))
    timings = [
        _timing("Reshape", 0.5, None, 16, 64),
        _timing("Gemm", 4.0, None, 16, 32),
        _timing("Reshape", 0.25, 1, 2, 8, 32),
        _timing("Softplus", 6.0, None, 2, 8, 32),
        _timing("Tanh", 1.0, None, 2, 8, 32),
        _timing("Mul", 1.0, 2, 2, 8, 32),
    ]
    assert attribute_timings(graph, timings)[1:].tolist() == [4.75, 8.0]


def test_what_was_taken_apart_at_the_end_is_found() -> None:
    model = Model()
    graph = load_graph(model.build(model("ArgMax", model("Elu", model.input(1, 4, 4)), axis=1)))
    timings = [
        _timing("Elu", 1.0, 0, 1, 4, 4),
        _timing("TopK", 3.0, None, 1, 1, 4),
        _timing("Convert", 0.5, None, 1, 4),
    ]
    assert attribute_timings(graph, timings)[1:].tolist() == [1.0, 3.5]
    model = Model()
    only = load_graph(model.build(model("Elu", model.input(1, 4, 4))))
    assert attribute_timings(only, timings)[-1] == 4.5


def test_kernels_without_a_timing_have_no_label() -> None:
    model = Model()
    graph = load_graph(model.build(model("Elu", model("Softplus", model.input(1, 4)))))
    assert np.isnan(attribute_timings(graph, [_timing("Softplus", 1.0, 0, 1, 4)])).tolist() == [True, False, True]
