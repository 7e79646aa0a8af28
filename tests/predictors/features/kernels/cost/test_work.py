"""What kernels have to do depends on where their data lie."""

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import helper, numpy_helper

from predictors.features.kernels import KernelTable, kernel_table
from predictors.kinds.kernel_sum.residual import kernel_numbers
from predictors.kinds.kernel_sum.roofline import WORK_TERMS, Costs
from profilers.onnx_graph import load_graph


def table(nodes: list[onnx.NodeProto], channels: int, *, size: int = 8, **weights: np.ndarray) -> KernelTable:
    """Kernels of a graph from (1, channels, size, size) to whatever the last node writes."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, channels, size, size))
    y = helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.UNDEFINED, None)
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "test", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return kernel_table(load_graph(onnx.shape_inference.infer_shapes(model).SerializeToString()))


def enlarged(channels: int, rule: str) -> dict[str, float]:
    """The resizing behind a convolution with so many channels: in blocks by some rules, plain by others."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Resize", ["c", "", "s"], ["y"], mode="linear", coordinate_transformation_mode=rule),
    ]
    weights = np.ones((channels, 16, 1, 1), np.float32)
    found = table(nodes, 16, w=weights, s=np.array([1, 1, 2, 2], np.float32))
    row = found.operators.index("Resize")
    names = ("operations", "elements", "element_cost", "blocked", "channels_out")
    return {name: float(found.column(name)[row]) for name in names}


@pytest.mark.parametrize(("channels", "computed"), [(4, 16), (16, 16), (20, 32)])
def test_kernels_on_channel_blocks_compute_the_padding_too(channels: int, computed: int) -> None:
    blocked, plain = enlarged(channels, "half_pixel"), enlarged(channels, "pytorch_half_pixel")
    assert (blocked["blocked"], plain["blocked"]) == (1, 0)
    assert_allclose(blocked["operations"] / blocked["element_cost"], computed * 16 * 16)
    assert_allclose(plain["operations"] / plain["element_cost"], channels * 16 * 16)
    assert blocked["elements"] == plain["elements"] == channels * 16 * 16
    assert blocked["channels_out"] == channels


def test_strides_of_whole_pages_are_told_apart() -> None:
    """A maximum over channels reads at a distance of one channel: 32 x 32 floats are a page, 31 x 31 are not."""

    def numbers(size: int) -> np.ndarray:
        found = table([helper.make_node("ArgMax", ["x"], ["y"], axis=1)], 9, size=size)
        shares = np.full((len(found), len(WORK_TERMS)), 1 / len(WORK_TERMS))
        costs = Costs(log_time=np.zeros(len(found)), shares=shares)
        return kernel_numbers(found, costs)[found.operators.index("ArgMax")]

    whole, odd = numbers(32), numbers(31)
    differs = np.flatnonzero(np.abs(whole - odd) > 0.5)
    assert [(whole[at], odd[at]) for at in differs] == [(1.0, 0.0)]


@pytest.mark.parametrize("rows", [100, 10_000])
def test_an_embedding_reads_the_rows_that_it_looks_up(rows: int) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=onnx.TensorProto.INT32),
        helper.make_node("Reshape", ["ids", "flat"], ["words"]),
        helper.make_node(
            "EmbedLayerNormalization",
            ["words", "", "table", "places", "", "g", "g"],
            ["y", "m"],
            domain="com.microsoft",
        ),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 1, 8, 8))
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    weights = {"table": np.ones((rows, 16)), "places": np.ones((64, 16)), "g": np.ones(16)}
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    constants.append(numpy_helper.from_array(np.array([1, 64]), "flat"))
    graph = helper.make_graph(nodes, "test", [x], [y], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    found = kernel_table(load_graph(helper.make_model(graph, opset_imports=opsets).SerializeToString()))
    read = found.column("parameter_bytes")[found.operators.index("EmbedLayerNormalization")]
    assert read <= 3 * 4 * 16 * 64
