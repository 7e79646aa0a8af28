"""Float graphs are quantised as the tools do it."""

from pathlib import Path

import pytest

from predictors.features.kernels import (
    ExecutionTraits,
    predict_kernels,
)
from profilers.onnx_graph import load_graph, refill_weights
from profilers.quantisation import prepared
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.structures import (
    Model,
    executed,
    predicted,
    residual_plain,
)


@pytest.mark.parametrize("precision", ["int8_dynamic", "int8_static"])
@pytest.mark.parametrize("text", ["mobile/depth=3,stages=3,resolution=32", "recurrent/length=8", "mixer/depth=1"])
def test_float_graphs_are_quantised_as_the_tools_do(text: str, precision: str, tmp_path: Path) -> None:
    space = get_space("zoo")
    content = refill_weights(space.to_onnx(space.parse(text)))
    found = predicted(content, ExecutionTraits(precision=precision))
    wanted = executed(prepared(content, precision), tmp_path)
    assert sum((found - wanted).values()) + sum((wanted - found).values()) <= 2 + 0.1 * sum(wanted.values())


def test_quantised_kernels_name_the_nodes_of_the_float_graph() -> None:
    model = Model()
    graph = load_graph(model.build(residual_plain(model)))
    for precision in ("int8_dynamic", "int8_static"):
        kernels = predict_kernels(graph, ExecutionTraits(precision=precision))
        assert {node for kernel in kernels for node in kernel.nodes} <= set(range(len(graph.nodes)))
        assert any(kernel.kind.startswith("int8_conv") and kernel.nodes for kernel in kernels)
