"""Products in 8 bits take longer with unsigned weights; nothing else does."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictors.features.kernels import KernelTable, kernel_table
from predictors.kinds.kernel_sum.unsigned import log_slower
from profilers.onnx_graph import load_graph


def product(rows: int, depth: int, columns: int, dtype: type, operator: str = "QLinearMatMul") -> KernelTable:
    """A product of matrices in 8 bits, whose weights are of the type."""
    weights = [("w", np.ones((depth, columns), dtype)), ("s", np.float32(0.1)), ("z", np.uint8(0)), ("wz", dtype(0))]
    names = ["x", "s", "z", "w", "s", "wz", "s", "z"] if operator == "QLinearMatMul" else ["x", "w", "z", "wz"]
    node = helper.make_node(operator, names, ["y"])
    result = TensorProto.UINT8 if operator == "QLinearMatMul" else TensorProto.INT32
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, [rows, depth])],
        [helper.make_tensor_value_info("y", result, [rows, columns])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )  # fmt: skip
    return kernel_table(load_graph(helper.make_model(graph).SerializeToString()))


@pytest.mark.parametrize("operator", ["QLinearMatMul", "MatMulInteger"])
def test_signed_weights_take_what_training_says(operator: str) -> None:
    assert log_slower(product(128, 512, 512, np.int8, operator)).tolist() == [0.0, 0.0]
    call, slower = log_slower(product(128, 512, 512, np.uint8, operator))
    assert call == 0
    assert slower > 0.5


@pytest.mark.parametrize(
    ("rows", "depth", "columns", "measured"),
    [(128, 512, 512, 2.38), (64, 192, 768, 2.11), (16, 256, 256, 1.65), (64, 64, 64, 1.23), (1, 256, 256, 1.07)],
)
def test_factors_are_near_those_measured(rows: int, depth: int, columns: int, measured: float) -> None:
    assert np.exp(log_slower(product(rows, depth, columns, np.uint8))[1]) == pytest.approx(measured, rel=0.15)
