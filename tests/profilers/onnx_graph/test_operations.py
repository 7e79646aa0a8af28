"""Nodes that do the same share one operation; what is large or has bodies is read each time."""

import numpy as np
from onnx import AttributeProto, helper, numpy_helper

from profilers.onnx_graph.operations import plain_value, shared_operation


def attributes(**values: object) -> list[AttributeProto]:
    return [helper.make_attribute(name, value) for name, value in values.items()]


def test_equal_nodes_share_one_operation() -> None:
    one = shared_operation("Conv", "", attributes(strides=[1, 2], auto_pad="VALID"))
    other = shared_operation("Conv", "", attributes(strides=[1, 2], auto_pad="VALID"))
    different = shared_operation("Conv", "", attributes(strides=[2, 2], auto_pad="VALID"))
    assert one is not None
    assert other is not None
    assert different is not None
    assert one.operation is other.operation
    assert one.operation is not different.operation
    assert one.operation.plain == {"strides": (1, 2), "auto_pad": "VALID"}
    assert (one.names, one.most_elements, one.most_bytes) == (("strides", "auto_pad"), 2, 5)


def test_large_attributes_and_bodies_are_not_shared() -> None:
    body = helper.make_graph([], "b", [], [])
    assert shared_operation("TreeEnsemble", "ai.onnx.ml", attributes(nodes=list(range(1000)))) is None
    assert shared_operation("If", "", attributes(then_branch=body)) is None


def test_a_constants_tensor_stays_in_the_model() -> None:
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "c")
    assert shared_operation("Constant", "", attributes(value=tensor)) is None
    filled = shared_operation("ConstantOfShape", "", attributes(value=tensor))
    assert filled is not None
    assert filled.operation.tensors["value"].dims == (3,)


def test_an_attribute_twice_is_a_fault() -> None:
    twice = shared_operation("Relu", "", [*attributes(a=1), *attributes(a=2)])
    assert twice is not None
    assert twice.operation.fault == "has an attribute twice"


def test_values_are_plain() -> None:
    found = [plain_value(item) for item in attributes(i=3, f=0.5, s="text", many=[1, 2], names=["a", "b"])]
    assert found == [3, 0.5, "text", (1, 2), ("a", "b")]
