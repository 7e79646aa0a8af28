"""Shapes of the classic models of ai.onnx.ml."""

import pytest

from profilers.onnx_graph.shapes.ai_onnx_ml import LEARNING_RULES
from profilers.onnx_graph.shapes.rules import Output
from profilers.onnx_graph.values import Value


@pytest.mark.parametrize(
    ("operator", "attributes", "expected"),
    [
        ("TreeEnsembleRegressor", {"n_targets": 3}, [("float32", (10, 3))]),
        ("TreeEnsembleClassifier", {"classlabels_int64s": (0, 1)}, [("int64", (10,)), ("float32", (10, 2))]),
        ("TreeEnsembleClassifier", {"classlabels_strings": ("a", "b", "c")},
         [("string", (10,)), ("float32", (10, 3))]),
        ("LinearRegressor", {"targets": 2}, [("float32", (10, 2))]),
        ("SVMRegressor", {"targets": 2}, [("float32", (10, 1))]),
        ("Scaler", {}, [("float32", (10, 4))]),
        ("Imputer", {}, [("float64", (10, 4))]),
        ("FeatureVectorizer", {"inputdimensions": (4, 5)}, [("float32", (10, 9))]),
        ("FeatureVectorizer", {}, [("float32", (10, None))]),
    ],
)  # fmt: skip
def test_outputs(operator: str, attributes: dict[str, object], expected: list[Output]) -> None:
    assert LEARNING_RULES[operator]([Value("x", "float64", (10, 4))], attributes) == expected


def test_a_single_row_may_have_no_axis_of_its_own() -> None:
    assert LEARNING_RULES["TreeEnsembleRegressor"]([Value("x", "float32", (4,))], {"n_targets": 1}) == [
        ("float32", (1, 1))
    ]
