"""Kernels of quantised graphs are those that the runtime forms."""

from pathlib import Path

import numpy as np
import pytest

from predictors.features.kernels import ExecutionTraits, Level, predict_kernels
from profilers.onnx_graph import load_graph, refill_weights
from profilers.quantisation import prepared
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.structures import (
    Model,
    executed,
    partial_stage,
    predicted,
)

QUANTISED = [
    "kernels:qconv/chain=3,activation=relu,residual=yes", "kernels:qconv/grouping=depthwise,dtype=int8",
    "kernels:qgemm/form=gemm,chain=2", "kernels:qgemm/form=matmul", "kernels:qgemm/form=dynamic,chain=2",
    "kernels:dynamicconv", "kernels:qlstm", "kernels:nbits", "kernels:qelementwise/op=Concat",
    "kernels:qelementwise/op=MaxPool", "kernels:qelementwise/op=Softmax", "zoo:quantised/body=mobile,depth=1,stages=2",
    "zoo:quantised/body=transformer,depth=1", "zoo:quantised/body=transformer,depth=1,form=dynamic",
]  # fmt: skip


@pytest.mark.parametrize("level", [Level.EXTENDED, Level.ALL])
@pytest.mark.parametrize("text", QUANTISED)
def test_kernels_of_quantised_graphs_are_those_of_the_runtime(text: str, level: Level, tmp_path: Path) -> None:
    name, _, text = text.partition(":")
    space = get_space(name)
    content = refill_weights(space.to_onnx(space.parse(text)))
    assert predicted(content, ExecutionTraits(optimisation=level.name)) == executed(content, tmp_path, level)


def test_splits_between_convolutions_run_in_8_bits_with_channels_last(tmp_path: Path) -> None:
    model = Model()
    content = prepared(model.build(partial_stage(model)), "int8_static")
    found = predicted(content)
    assert found == executed(content, tmp_path)
    assert found["Split"] == 1
    assert found["Transpose"] == 2  # what comes in, and what goes out


def packed(model: Model, x: str, scale: float, dtype: type = np.uint8) -> str:
    """The tensor through 8 bits and back."""
    operands = model.constant(scale), model.constant(0, dtype)
    return model("DequantizeLinear", model("QuantizeLinear", x, *operands), *operands)


def convolution_in_8_bits(model: Model, x: str, bias: str, scale: float = 0.01) -> str:
    """A convolution between DequantizeLinear and QuantizeLinear; its products count in .1 * scale."""
    weights = model.constant(np.ones((16, 16, 3, 3)), np.int8)
    unpacked = model("DequantizeLinear", weights, model.constant(scale), model.constant(0, np.int8))
    return packed(model, model("Conv", x, unpacked, bias, pads=[1] * 4), 0.1)


def shared_bias(model: Model) -> str:
    """The bias that a quantiser has made for products that count in .001."""
    values, scale, zero = model.constant(np.ones(16), np.int32), model.constant(0.001), model.constant(0, np.int32)
    return model("DequantizeLinear", values, scale, zero)


@pytest.mark.parametrize("behind", [False, True])
def test_a_convolution_with_the_bias_of_another_stays_in_floats(behind: bool, tmp_path: Path) -> None:
    model = Model()
    bias = shared_bias(model)
    again = model("Identity", bias) if behind else bias
    x = convolution_in_8_bits(model, packed(model, model.input(1, 16, 8, 8), 0.1), bias)
    x = convolution_in_8_bits(model, x, again, scale=0.03)
    content = model.build(convolution_in_8_bits(model, x, again))
    found = predicted(content)
    assert found == executed(content, tmp_path)
    assert (found["QLinearConv"], found["Conv"]) == (2, 1)


def test_what_is_unpacked_for_floats_changes_its_layout_in_8_bits(tmp_path: Path) -> None:
    model = Model()
    x = convolution_in_8_bits(model, packed(model, model.input(1, 16, 8, 8), 0.1), shared_bias(model))
    content = model.build(model("Softmax", x, axis=-1))
    assert predicted(content) == executed(content, tmp_path)
    *_, transpose, unpacking, _ = predict_kernels(load_graph(content))
    assert (transpose.operator, unpacking.operator) == ("Transpose", "DequantizeLinear")
    assert transpose.output_bytes == 16 * 8 * 8


def test_a_sum_of_two_convolutions_changes_its_layout_once(tmp_path: Path) -> None:
    model = Model()
    x = packed(model, model.input(1, 16, 8, 8), 0.1)
    both = [convolution_in_8_bits(model, x, shared_bias(model)) for _ in range(2)]
    content = model.build(packed(model, model("Add", *both), 0.1))
    found = predicted(content)
    assert found == executed(content, tmp_path)
    assert found["Transpose"] == 2


def test_constants_in_8_bits_have_no_layout_to_follow(tmp_path: Path) -> None:
    model = Model()
    weights = model.constant(np.ones((16, 16, 3, 3)), np.int8)
    unpacked = model("DequantizeLinear", weights, model.constant(0.01), model.constant(0, np.int8))
    content = model.build(model("Conv", model.input(1, 16, 8, 8), unpacked, pads=[1] * 4))
    assert predicted(content) == executed(content, tmp_path) == {"DequantizeLinear": 1, "Conv": 1}
