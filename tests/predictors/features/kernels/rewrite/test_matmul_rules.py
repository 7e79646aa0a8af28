"""Products take transposes, scales and biases in."""

from predictors.features.kernels import (
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    Model,
)


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
