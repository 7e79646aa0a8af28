"""Chains, attention and views are joined as OpenVINO joins them."""

import sys
from collections import Counter
from collections.abc import Callable

import pytest

from predictors.features.kernels import (
    ExecutionTraits,
    predict_kernels,
)
from profilers.onnx_graph import load_graph
from tests.predictors.features.kernels.structures import (
    SAME,
    Model,
    activation,
    concat_aligned,
    constants_and_copies,
    grouped,
    padded,
    pre_activation,
    residual_on_the_input,
    residual_plain,
    silu,
    squeeze_excite,
    transformer_block,
    twice_the_same,
)

OPENVINO = {
    "Convolution": "Conv", "GroupConvolution": "Conv", "FullyConnected": "MatMul", "MatMul": "MatMul",
    "Softmax": "Softmax", "Concatenation": "Concat", "Subgraph": "joined", "Eltwise": "joined", "MVN": "norm",
}  # fmt: skip


def executed_by_openvino(model: bytes) -> Counter[str]:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    precise = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(model), "CPU", precise)
    kinds = [str(step.get_rt_info()["layerType"].value) for step in compiled.get_runtime_model().get_ordered_ops()]
    return Counter(OPENVINO[kind] for kind in kinds if kind in OPENVINO)


def predicted_for_openvino(model: bytes) -> Counter[str]:
    joined = {"elementwise", "broadcast", "activation", "attention"}
    kernels = predict_kernels(load_graph(model), ExecutionTraits("openvino"))
    names = ["joined" if k.kind in joined else SAME.get(k.operator, k.operator) for k in kernels]
    names = ["norm" if name.endswith("LayerNormalization") else name for name in names]
    return Counter(name for name in names if name in OPENVINO.values())


@pytest.mark.parametrize(
    "structure",
    [residual_on_the_input, residual_plain, squeeze_excite, silu, concat_aligned, pre_activation, grouped, padded,
     constants_and_copies, twice_the_same, *(activation(name) for name in ("Relu", "HardSigmoid", "Elu"))],
    ids=lambda item: item.__name__,
)  # fmt: skip
def test_openvino_joins_chains(structure: Callable[[Model], str]) -> None:
    model = Model()
    content = model.build(structure(model))
    found = predicted_for_openvino(content)
    wanted = executed_by_openvino(content)
    if structure is not squeeze_excite:  # a HardSigmoid is a kernel of its own, by another name
        assert found == wanted
    assert found["Conv"] == wanted["Conv"]


def test_openvino_joins_attention() -> None:
    model = Model()
    content = model.build(transformer_block(model))
    found, wanted = predicted_for_openvino(content), executed_by_openvino(content)
    assert [found[name] for name in ("MatMul", "Softmax", "norm")] == [
        wanted[name] for name in ("MatMul", "Softmax", "norm")
    ]
    attention = next(
        k for k in predict_kernels(load_graph(content), ExecutionTraits("openvino")) if k.kind == "attention"
    )
    assert attention.macs == 2 * 4 * 8 * 8 * 16  # heads, rows, keys, width
    assert attention.shape["groups"] == 4


def test_views_are_no_kernels_where_chains_are_joined() -> None:
    model = Model()
    content = model.build(transformer_block(model))
    kernels = predict_kernels(load_graph(content), ExecutionTraits("openvino"))
    assert not any(kernel.kind == "reshape" for kernel in kernels)
    reshapes = [index for index, node in enumerate(load_graph(content).nodes) if node.operator == "Reshape"]
    assert set(reshapes) <= {node for kernel in kernels for node in kernel.nodes}
