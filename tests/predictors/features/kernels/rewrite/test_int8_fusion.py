"""Kernels of quantised graphs are those that the runtime forms."""

from pathlib import Path

import pytest

from predictors.features.kernels import (
    ExecutionTraits,
    Level,
)
from profilers.onnx_graph import refill_weights
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
