"""Products take transposes, scales and biases in."""

from pathlib import Path

import numpy as np
import pytest

from predictors.features.kernels import (
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import Model, executed, predicted


def test_a_gemm_behind_a_transpose_knows_its_dimensions() -> None:
    model = Model()
    left = model("Transpose", model("Relu", model.input(4, 112, 80)), perm=[0, 2, 1])
    kernels = predict_kernels(load_graph(model.build(model("MatMul", left, model.weight(112, 48)))))
    product = next(kernel for kernel in kernels if kernel.operator == "MatMul")
    assert product.macs == 4 * 80 * 112 * 48
    assert [product.shape[name] for name in ("depth", "columns")] == [112, 48]


def test_a_constant_factor_goes_into_the_product() -> None:
    model = Model()
    scaled = model("Mul", model.input(2, 4, 8), model.constant(0.125))
    kernels = predict_kernels(load_graph(model.build(model("MatMul", scaled, model.input(2, 8, 4)))))
    assert [kernel.operator for kernel in kernels] == ["Call", "MatMul"]


def test_a_factor_that_is_no_scalar_stays() -> None:
    model = Model()
    scaled = model("Mul", model.input(2, 4, 8), model.weight(8))
    kernels = predict_kernels(load_graph(model.build(model("MatMul", scaled, model.input(2, 8, 4)))))
    assert [kernel.operator for kernel in kernels] == ["Call", "Mul", "MatMul"]


def test_what_is_added_to_a_product_with_weights_makes_a_gemm() -> None:
    model = Model()
    kernels = predict_kernels(load_graph(model.build(model.linear(model.input(2, 8), 8, 4))))
    assert [kernel.operator for kernel in kernels] == ["Call", "Gemm"]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_swaps_behind_an_axis_of_size_one_go_into_the_product(swapped: bool, scaled: bool, tmp_path: Path) -> None:
    model = Model()
    heads = model("Transpose", model("Relu", model.input(8, 4, 16)), perm=[1, 0, 2])
    columns = model("Transpose", heads, perm=[0, 2, 1]) if swapped else heads
    right = model("Reshape", columns, model.constant([1, 4, *((16, 8) if swapped else (8, 16))], np.int64))
    right = model("Mul", right, model.constant(0.5)) if scaled else right
    content = model.build(model("MatMul", model.input(1, 4, 8, 16 if swapped else 8), right))
    assert predicted(content) == executed(content, tmp_path) == {"Relu": 1, "MatMul": 1}
