"""What warm kernels save: nothing where nothing is read again, most for tiny kernels and rows."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictors.features.kernels import KernelTable, kernel_table
from predictors.kinds.kernel_sum.warm import log_saved
from profilers.onnx_graph import load_graph


def products(count: int, *, shared: bool, rows: int = 1, size: int = 64) -> KernelTable:
    """Products with one matrix, or with one each, and a Tanh behind each product."""
    names = ["w" if shared else f"w{place}" for place in range(count)]
    nodes = []
    for place, name in enumerate(names):
        nodes.append(helper.make_node("MatMul", [f"t{place}", name], [f"m{place}"]))
        nodes.append(helper.make_node("Tanh", [f"m{place}"], [f"t{place + 1}"]))
    weights = [numpy_helper.from_array(np.zeros((size, size), np.float32), name) for name in sorted(set(names))]
    ends = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, size]) for name in ("t0", f"t{count}"))
    first, last = ends
    graph = helper.make_graph(nodes, "g", [first], [last], weights)
    return kernel_table(load_graph(helper.make_model(graph).SerializeToString()))


def test_networks_that_read_every_parameter_once_save_nothing() -> None:
    assert log_saved(products(8, shared=False)).tolist() == [0.0] * len(products(8, shared=False))


def test_rows_with_one_matrix_save_and_the_first_of_them_does_not() -> None:
    table = products(8, shared=True)
    saved = log_saved(table)
    assert np.count_nonzero(saved < 0) == len(table) - np.count_nonzero(table.warm == 0)
    assert saved[table.warm == 0].tolist() == [0.0] * int(np.count_nonzero(table.warm == 0))
    assert np.log(0.5) < saved.min() < np.log(0.8)


def test_work_that_is_bound_by_arithmetic_saves_next_to_nothing() -> None:
    product = products(8, shared=True, rows=256, size=256)
    large = log_saved(product)[product.column("macs") > 0]
    assert large.min() == pytest.approx(0.0, abs=0.01)
