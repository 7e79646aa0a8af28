"""Names of a graph and of its bodies, and what the walk of one model counts."""

import pytest

from latcast.schema import InvalidModelError, ModelLimitError
from profilers.onnx_graph import Limits
from profilers.onnx_graph.scope import Context, Scope
from profilers.onnx_graph.values import Value


def test_a_body_sees_the_names_around_it_and_hides_none() -> None:
    around = Scope()
    outside = Value("x", "float32", (2,))
    around.define(outside)
    body = Scope(around)
    assert body.lookup("x") is outside
    with pytest.raises(InvalidModelError, match="two tensors"):
        body.define(Value("x", "float32", (3,)))
    body.define(Value("y", "float32", (3,)))
    with pytest.raises(InvalidModelError, match="A Relu node reads 'y'"):
        around.lookup("y", "Relu")


def test_what_a_body_reads_of_the_graph_around_it_is_outer() -> None:
    around = Scope()
    outside, own = Value("x", "float32", (2,)), Value("w", "float32", (2,), constant=True)
    around.define(outside)
    body = Scope(around)
    body.define(own)
    places = [body.place(value) for value in (own, outside, own, outside)]
    assert places == [0, 1, 0, 1]
    assert body.outer == (1,)
    assert body.initializers == {0}
    assert [tensor.name for tensor in around.tensors] == ["x"]


def test_an_initializer_that_may_be_overridden_is_decided_outside() -> None:
    scope = Scope()
    weight = Value("w", "float32", (2,), constant=True)
    weight.overridable = True
    scope.define(weight)
    assert scope.outer == ()
    scope.place(weight)
    assert (scope.outer, scope.initializers) == ((0,), frozenset())


def test_totals_are_capped() -> None:
    context = Context(Limits(nodes=2, tensor_bytes=100, constant_bytes=150, rank=2), {"": 17}, {})
    context.count_node()
    context.count_node()
    with pytest.raises(ModelLimitError, match="nodes"):
        context.count_node()
    with pytest.raises(ModelLimitError, match="tensor_bytes"):
        context.check_size(Value("big", "float32", (26,)))
    with pytest.raises(ModelLimitError, match="rank"):
        context.check_size(Value("deep", "float32", (1, 1, 1)))
    context.check_size(Value("c", "float32", (25,), constant=True))
    with pytest.raises(ModelLimitError, match="constant_bytes"):
        context.check_size(Value("d", "float32", (25,), constant=True))
