"""What records compute of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema import Graph, Measurement, Node, ProcessRun, ProfileSettings, Target, TensorSpec, quantile


def _measurement(*medians: float) -> Measurement:
    runs = tuple(ProcessRun(samples_ms=(value * 0.9, value, value * 1.1)) for value in medians)
    target = Target(device="d", backend="b")
    return Measurement(graph="g1-0", target=target, settings=ProfileSettings(), runs=runs)


def test_the_summary_is_the_median_of_the_processes():
    summary = _measurement(2.0, 1.0, 4.0).summary
    assert summary is not None
    assert summary.median_ms == 2.0
    assert summary.samples == 9
    assert summary.process_spread == pytest.approx(1.5)
    assert summary.noise_log == pytest.approx(0.75)


def test_a_failure_has_no_summary():
    assert _measurement().summary is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_quantiles_lie_between_the_extremes(values: list[float], q: float):
    ordered = sorted(values)
    assert ordered[0] - 1e-6 <= quantile(ordered, q) <= ordered[-1] + 1e-6


def test_target_ids_depend_on_content_alone():
    one = Target(device="d", backend="b", options={"a": "1", "b": "2"})
    assert one.id == Target(device="d", backend="b", options={"b": "2", "a": "1"}).id
    assert one.id != Target(device="d", backend="b", options={"a": "1"}).id
    assert one.label == "b fp32 1 thread a=1 b=2"


def test_graph_totals_count_bodies():
    weight = TensorSpec(name="w", dtype="int4", shape=(3, 4))
    inner = Graph(hash="g1-0", tensors=(weight,), inputs=(), outputs=(), initializers=frozenset({0}),
                  nodes=(Node(operator="Relu", inputs=(), outputs=()),))  # fmt: skip
    node = Node(operator="Loop", inputs=(0,), outputs=(1,), macs=5, flops=12, output_bytes=8, bodies=(inner,), trips=3)
    tensors = (TensorSpec(name="x", dtype="float32", shape=(2,)), TensorSpec(name="y", dtype="float32", shape=None))
    graph = Graph(hash="g1-1", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))
    assert (graph.macs, graph.flops, graph.activation_bytes, graph.parameter_bytes) == (5, 12, 16, 6)
    assert graph.operators == {"Loop": 1, "Relu": 1}
    assert graph.arithmetic_intensity == pytest.approx(12 / 22)
