"""Operators on small constants give what onnx's reference gives, and refuse to grow."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from profilers.onnx_graph.evaluation import can_evaluate, evaluate

I = np.arange(6).reshape(2, 3)  # noqa: E741 - a small matrix of integers
F = np.linspace(-1.5, 1.5, 6, dtype=np.float32).reshape(2, 3)


def by_reference(operator: str, inputs: list[Any], attributes: dict[str, Any], outputs: int) -> list[Any]:
    names = [f"x{at}" if item is not None else "" for at, item in enumerate(inputs)]
    node = helper.make_node(operator, names, [f"y{at}" for at in range(outputs)], **attributes)
    types = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(item.dtype), item.shape)
        for name, item in zip(names, inputs, strict=True)
        if item is not None
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output]
    model = helper.make_model(helper.make_graph([node], "g", types, made), opset_imports=[helper.make_opsetid("", 17)])
    feeds = {name: item for name, item in zip(names, inputs, strict=True) if item is not None}
    return list(ReferenceEvaluator(model).run(None, feeds))


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes"),
    [
        ("Add", [I, I], {}),
        ("Div", [I - 3, np.full((2, 3), 2)], {}),
        ("Concat", [I, I], {"axis": 1}),
        ("Gather", [I, np.array([1])], {"axis": 1}),
        ("Slice", [I, np.array([1]), np.array([3]), np.array([1])], {}),
        ("Slice", [I, np.array([-1]), np.array([-9]), np.array([1]), np.array([-1])], {}),
        ("Squeeze", [I[None], np.array([0])], {}),
        ("Unsqueeze", [I, np.array([0, 3])], {}),
        ("Reshape", [I, np.array([3, -1])], {}),
        ("Reshape", [I, np.array([0, -1])], {}),
        ("Transpose", [I], {"perm": [1, 0]}),
        ("Tile", [I, np.array([2, 1])], {}),
        ("Expand", [I[:1], np.array([4, 3])], {}),
        ("Range", [np.array(2), np.array(9), np.array(3)], {}),
        ("Where", [I > 2, I, -I], {}),
        ("Mod", [I - 3, np.full((2, 3), 2)], {}),
        ("Max", [I, I * 0 + 2], {}),
        ("Floor", [F], {}),
        ("Sqrt", [np.abs(F)], {}),
        ("Clip", [F, np.float32(-0.5), np.float32(0.5)], {}),
        ("ReduceProd", [I + 1], {"axes": [1], "keepdims": 0}),
        ("ReduceSum", [I, np.array([0])], {"keepdims": 1}),
        ("Cast", [F], {"to": TensorProto.INT64}),
        ("Not", [I > 2], {}),
    ],
)
def test_values_are_those_of_the_reference(operator: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    arrays = [np.asarray(item) for item in inputs]
    found = evaluate(operator, arrays, attributes)
    assert found is not None
    for ours, theirs in zip(found, by_reference(operator, arrays, attributes, len(found)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Tile", [I, np.array([2**20, 2**20])]),
        ("Expand", [I, np.array([2**40, 3])]),
        ("Range", [np.array(0), np.array(2**40), np.array(1)]),
        ("ConstantOfShape", [np.array([2**30])]),
    ],
)
def test_what_would_grow_is_left_open(operator: str, inputs: list[Any]) -> None:
    assert evaluate(operator, inputs, {}) is None


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [("Add", [I]), ("Reshape", [I, np.array([5])]), ("Gather", [I, np.array([9])]), ("Conv", [F, F])],
)
def test_what_does_not_fit_is_left_to_shape_inference(operator: str, inputs: list[Any]) -> None:
    assert evaluate(operator, inputs, {}) is None


def test_only_operators_of_the_table_are_evaluated() -> None:
    assert can_evaluate("Concat")
    assert not can_evaluate("MatMul")
