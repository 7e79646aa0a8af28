"""What convolutions and products have to compute."""

import pytest

from predictors.features.kernels import (
    Kernel,
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    Model,
)


def test_taps_on_padding_are_skipped() -> None:
    model = Model()
    weights, bias = model.weight(32, 32, 3, 3), model.weight(32)
    x = model("Conv", model.input(1, 32, 4, 4), weights, bias, pads=[4] * 4, dilations=[4, 4])
    conv = next(k for k in predict_kernels(load_graph(model.build(x))) if k.operator == "Conv")
    assert conv.macs == pytest.approx(16 * 32 * 32 * 9 / 3)


def product_of(model: Model, result: str, operator: str) -> Kernel:
    return next(k for k in predict_kernels(load_graph(model.build(result))) if k.operator == operator)


def test_products_are_rows_by_depth_by_columns() -> None:
    model = Model()
    kernel = product_of(model, model("MatMul", model.input(3, 5, 7), model.weight(7, 11)), "MatMul")
    assert [kernel.shape[name] for name in ("rows", "depth", "columns")] == [15, 7, 11]
    assert kernel.macs >= 15 * 7 * 11


@pytest.mark.parametrize("kernel", [1, 3])
def test_plain_convolutions_with_a_window_unroll_their_input(kernel: int) -> None:
    model = Model()
    conv = product_of(model, model.conv(model.input(1, 18, 8, 8), 18, 18, kernel), "Conv")
    assert conv.shape["depth"] == 18 * kernel**2
    assert conv.operations == 18 * 64 + (64 * 18 * 9 if kernel > 1 else 0)


def test_recurrences_repeat_their_product_for_each_step() -> None:
    macs = []
    for length in (4, 8):
        model = Model()
        weights = model.weight(1, 64, 8), model.weight(1, 64, 16)
        x = model("LSTM", model.input(length, 1, 8), *weights, outputs=1, hidden_size=16)
        macs.append(product_of(model, x, "LSTM").macs)
    assert macs[1] == pytest.approx(2 * macs[0], rel=0.2)
