"""What passes over tensors cost: by element, by contiguous run, by window."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from predictors.features.kernels import Kernel, predict_kernels
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import Model


def kernel_of(model: Model, result: str, operator: str) -> Kernel:
    return next(k for k in predict_kernels(load_graph(model.build(result))) if k.operator == operator)


def test_functions_cost_by_element() -> None:
    costs = {}
    for operator in ("Relu", "Exp", "Softplus"):
        model = Model()
        kernel = kernel_of(model, model(operator, model.input(4, 100)), operator)
        assert (kernel.macs, kernel.elements) == (0, 400)
        costs[operator] = kernel.operations / 400
    assert costs["Relu"] == 1 < costs["Exp"] < costs["Softplus"]


def test_a_power_with_a_constant_exponent_is_a_product() -> None:
    model, other = Model(), Model()
    constant = kernel_of(model, model("Pow", model.input(4, 100), model.constant(3.0)), "Pow")
    variable = kernel_of(other, other("Pow", other.input(4, 100), other.input(4, 100)), "Pow")
    assert constant.operations == 3 * 400
    assert variable.operations > 10 * constant.operations


def test_unpacking_costs_what_scales_change_and_bits_are_few() -> None:
    """Measured: one scale for each column is ten times one for all, and 4 bits are six times 8."""
    costs = {}
    for name, scales, attributes in (
        ("one scale", (), {}),
        ("of rows", (64,), {"axis": 0}),
        ("of columns", (96,), {"axis": 1}),
        ("of columns, from the end", (96,), {"axis": -1}),
        ("of blocks", (2, 96), {"axis": 0, "block_size": 32}),
    ):
        for bits in (8, 4):
            model = Model(opset=21)
            if bits == 8:
                packed = model.constant(np.ones((64, 96)), np.int8)
            else:
                packed = f"c{len(model.constants)}"
                content = bytes(64 * 96 // 2)
                model.constants.append(helper.make_tensor(packed, TensorProto.INT4, [64, 96], content, raw=True))
            scale = model.constant(np.full(scales, 0.01))
            result = model("DequantizeLinear", packed, scale, **attributes)
            costs[name, bits] = kernel_of(model, model("Softmax", result), "DequantizeLinear").shape["element_cost"]
    assert costs["one scale", 8] == costs["of blocks", 8] == 2
    assert costs["of rows", 8] == pytest.approx(2, rel=0.1)
    assert costs["of columns", 8] == costs["of columns, from the end", 8] == 18
    assert costs["one scale", 4] == costs["of blocks", 4] == 11
    assert costs["of columns", 4] == 27


@pytest.mark.parametrize(("shape", "run"), [((4, 1, 1), 60), ((1, 6, 1), 10), ((1, 1, 10), 10), ((1, 6, 10), 60)])
def test_broadcasting_runs_over_axes_that_go_the_same_way(shape: tuple[int, ...], run: int) -> None:
    model = Model()
    kernel = kernel_of(model, model("Add", model.input(4, 6, 10), model.input(*shape)), "Add")
    assert kernel.shape["run"] == run
    assert kernel.shape["parts"] == 240 / run


@pytest.mark.parametrize(("window", "operator"), [(3, "MaxPool"), (5, "AveragePool")])
def test_poolings_read_a_window_for_each_output(window: int, operator: str) -> None:
    model = Model()
    x = model(operator, model.input(1, 3, 16, 16), kernel_shape=[window] * 2)
    kernel = kernel_of(model, x, operator)
    assert kernel.shape["window"] == window**2
    assert kernel.operations == pytest.approx(3 * (17 - window) ** 2 * window**2)


@pytest.mark.parametrize(("axes", "length", "rows"), [([2], 10, 24), ([0], 4, 60), ([1, 2], 60, 4)])
def test_reductions_know_what_they_reduce(axes: list[int], length: int, rows: int) -> None:
    model = Model(opset=17)
    kernel = kernel_of(model, model("ReduceMax", model.input(4, 6, 10), axes=axes), "ReduceMax")
    assert (kernel.shape["axis"], kernel.shape["rows"]) == (length, rows)
    assert kernel.operations == 3 * 240


def test_softmax_over_another_than_the_last_axis_moves_it() -> None:
    last, middle = Model(), Model()
    plain = kernel_of(last, last("Softmax", last.input(4, 6, 10), axis=2), "Softmax")
    moved = kernel_of(middle, middle("Softmax", middle.input(4, 6, 10), axis=1), "Softmax")
    assert (plain.shape["axis"], moved.shape["axis"]) == (10, 6)
    assert moved.operations == 10 * plain.operations
