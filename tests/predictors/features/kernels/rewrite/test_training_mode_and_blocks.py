"""Training mode and weights in blocks of 4 bits: kernels are those of the runtime, forecasts of them doubtful."""

from pathlib import Path

import pytest

from benchmarks.built_models.odd_structures import NETWORKS
from predictors.features.kernels import predict_kernels
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import executed, predicted

DOUBTFUL = {
    "normalisation-in-training": {"BatchNormalization": 8},
    "dropout-in-training": {"Dropout": 1},
    "four-bit-blocks": {"DequantizeLinear": 3},
    "four-bit-blocks-16": {"DequantizeLinear": 2},
}
"""By network, the kernels that training has not seen as they run here; a Dropout that others read is dropped."""


@pytest.mark.parametrize("name", sorted(DOUBTFUL))
def test_kernels_are_those_of_the_runtime(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]().model.SerializeToString()
    assert predicted(model) == executed(model, tmp_path)
    doubtful = [kernel.operator for kernel in predict_kernels(load_graph(model)) if not kernel.known]
    assert {operator: doubtful.count(operator) for operator in doubtful} == DOUBTFUL[name]


def test_a_product_that_adds_unpacks_its_weights_first() -> None:
    kernels = predict_kernels(load_graph(NETWORKS["four-bit-blocks"]().model.SerializeToString()))
    products = [kernel for kernel in kernels if kernel.kind in {"few_bits", "gemv", "gemm", "matmul"}]
    assert [kernel.operator for kernel in products] == ["MatMulNBits", "Gemm"] * 3
    assert [kernel.operator for kernel in kernels].count("DequantizeLinear") == 3
    fused = products[0]
    assert fused.macs == 512 * 1536
    assert fused.parameter_bytes == 512 * 1536 / 2 + 4 * 512 * 1536 / 32


def test_a_dropout_in_training_draws_each_element() -> None:
    kernels = predict_kernels(load_graph(NETWORKS["dropout-in-training"]().model.SerializeToString()))
    (dropout,) = [kernel for kernel in kernels if kernel.operator == "Dropout"]
    assert dropout.kind == "activation"
    assert dropout.operations == 40 * 64 * 512
