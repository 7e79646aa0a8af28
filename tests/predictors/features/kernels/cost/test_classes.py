"""Every kernel has one class, by operator, shapes and layout."""

import pytest

from predictors.features.kernels import CLASSES, predict_kernels
from predictors.features.kernels.cost.classes import ELEMENT_COST
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import Model


def kinds_of(model: Model, result: str) -> list[str]:
    """Classes of the kernels, but the call and changes of layout."""
    kernels = predict_kernels(load_graph(model.build(result)))
    return [kernel.kind for kernel in kernels if kernel.kind not in {"call", "reorder"}]


@pytest.mark.parametrize(
    ("channels", "groups", "kernel", "kind"),
    [
        (32, 1, 3, "conv"),
        (32, 1, 1, "conv_pointwise"),
        (32, 32, 3, "conv_depthwise"),
        (64, 2, 3, "conv_grouped"),
        (18, 1, 3, "conv_plain"),
        (18, 3, 3, "conv_plain_grouped"),
        (18, 18, 3, "conv_plain_depthwise"),
    ],
)
def test_convolutions_differ_by_window_groups_and_layout(channels: int, groups: int, kernel: int, kind: str) -> None:
    model = Model()
    x = model.conv(model.input(1, channels, 8, 8), channels, channels, kernel, groups)
    assert kinds_of(model, x) == [kind]


def test_the_first_convolution_of_an_image_reads_it_directly() -> None:
    model = Model()
    assert kinds_of(model, model.conv(model.input(1, 3, 8, 8), 3, 32)) == ["conv_direct"]


@pytest.mark.parametrize(("rows", "kind"), [(8, "gemm"), (1, "gemv")])
def test_a_single_row_is_a_class_of_its_own(rows: int, kind: str) -> None:
    model = Model()
    assert kinds_of(model, model("MatMul", model.input(rows, 64), model.weight(64, 64))) == [kind]


def test_products_of_two_results_are_no_gemm() -> None:
    model = Model()
    assert kinds_of(model, model("MatMul", model.input(2, 8, 16), model.input(2, 16, 8))) == ["matmul"]


@pytest.mark.parametrize(("shape", "kind"), [((4, 8), "elementwise"), ((1, 8), "broadcast")])
def test_operands_of_one_shape_need_no_broadcasting(shape: tuple[int, ...], kind: str) -> None:
    model = Model()
    assert kinds_of(model, model("Add", model.input(4, 8), model.input(*shape))) == [kind]


@pytest.mark.parametrize(
    ("operator", "kind"), [("Tanh", "activation"), ("ReduceMax", "reduce"), ("Softmax", "softmax"), ("Shape", None)]
)
def test_other_operators_go_by_name(operator: str, kind: str | None) -> None:
    model = Model()
    assert kinds_of(model, model(operator, model.input(4, 8))) == ([kind] if kind else [])


def test_classes_are_distinct_and_costs_positive() -> None:
    assert len(set(CLASSES)) == len(CLASSES)
    assert min(ELEMENT_COST.values()) > 0
