"""Predicted kernels are those that ONNX Runtime executes, and measured times reach them."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from latcast.schema import Graph, KernelTiming, Node, TensorSpec
from predictors.features.kernels import (
    CLASSES,
    SHAPE_FEATURES,
    WORK_FEATURES,
    ExecutionTraits,
    Level,
    attribute_timings,
    kernel_table,
    predict_kernels,
    stack_tables,
)
from predictors.testing import random_graph, shuffled
from profilers.onnx_graph import load_graph, refill_weights
from profilers.quantisation import prepared
from profilers.search_spaces import get_space
from tests.predictors.features.kernels.structures import (
    SAME,
    STRUCTURES,
    Model,
    activation,
    concat_aligned,
    constants_and_copies,
    convnext_norm,
    executed,
    grouped,
    padded,
    partial_stage,
    pre_activation,
    predicted,
    residual_on_the_input,
    residual_plain,
    silu,
    squeeze_excite,
    transformer_block,
    twice_the_same,
)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda item: item.__name__)
def test_kernels_are_those_of_the_runtime(structure: Callable[[Model], str], tmp_path: Path) -> None:
    model = Model()
    content = model.build(structure(model))
    assert predicted(content) == executed(content, tmp_path)


@pytest.mark.parametrize("level", [Level.BASIC, Level.EXTENDED])
@pytest.mark.parametrize("structure", [residual_plain, squeeze_excite, silu, transformer_block, padded, grouped])
def test_kernels_follow_the_level(structure: Callable[[Model], str], level: Level, tmp_path: Path) -> None:
    model = Model()
    content = model.build(structure(model))
    assert predicted(content, ExecutionTraits(optimisation=level.name)) == executed(content, tmp_path, level)


OPENVINO = {
    "Convolution": "Conv", "GroupConvolution": "Conv", "FullyConnected": "MatMul", "MatMul": "MatMul",
    "Softmax": "Softmax", "Concatenation": "Concat", "Subgraph": "joined", "Eltwise": "joined", "MVN": "norm",
}  # fmt: skip
"""OpenVINO's names of what is compared with it."""


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


QUANTISED = [
    "kernels:qconv/chain=3,activation=relu,residual=yes", "kernels:qconv/grouping=depthwise,dtype=int8",
    "kernels:qgemm/form=gemm,chain=2", "kernels:qgemm/form=matmul", "kernels:qgemm/form=dynamic,chain=2",
    "kernels:dynamicconv", "kernels:qlstm", "kernels:nbits", "kernels:qelementwise/op=Concat",
    "kernels:qelementwise/op=MaxPool", "kernels:qelementwise/op=Softmax", "zoo:quantised/body=mobile,depth=1,stages=2",
    "zoo:quantised/body=transformer,depth=1", "zoo:quantised/body=transformer,depth=1,form=dynamic",
]  # fmt: skip


@pytest.mark.parametrize("version", [3, 9])
def test_weights_that_may_be_overridden_are_no_constants(version: int, tmp_path: Path) -> None:
    model = Model()
    constant = model.build(model("Relu", model.batch_norm(silu(model), 16)))
    content = onnx.load_from_string(constant)
    for tensor in content.graph.initializer:
        content.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    content.ir_version = version
    found = predicted(content.SerializeToString())
    assert found == executed(content.SerializeToString(), tmp_path)
    assert (found == predicted(constant)) == (version == 3)


@pytest.mark.parametrize("level", [Level.EXTENDED, Level.ALL])
@pytest.mark.parametrize("text", QUANTISED)
def test_kernels_of_quantised_graphs_are_those_of_the_runtime(text: str, level: Level, tmp_path: Path) -> None:
    name, _, text = text.partition(":")
    space = get_space(name)
    content = refill_weights(space.to_onnx(space.parse(text)))
    assert predicted(content, ExecutionTraits(optimisation=level.name)) == executed(content, tmp_path, level)


@pytest.mark.parametrize("precision", ["int8_dynamic", "int8_static"])
@pytest.mark.parametrize("text", ["mobile/depth=3,stages=3,resolution=32", "recurrent/length=8", "mixer/depth=1"])
def test_float_graphs_are_quantised_as_the_tools_do(text: str, precision: str, tmp_path: Path) -> None:
    space = get_space("zoo")
    content = refill_weights(space.to_onnx(space.parse(text)))
    found = predicted(content, ExecutionTraits(precision=precision))
    wanted = executed(prepared(content, precision), tmp_path)
    assert sum((found - wanted).values()) + sum((wanted - found).values()) <= 2 + 0.1 * sum(wanted.values())


def test_splits_between_convolutions_run_in_8_bits_with_channels_last(tmp_path: Path) -> None:
    model = Model()
    content = prepared(model.build(partial_stage(model)), "int8_static")
    found = predicted(content)
    assert found == executed(content, tmp_path)
    assert found["Split"] == 1
    assert found["Transpose"] == 2  # what comes in, and what goes out


def test_quantised_kernels_name_the_nodes_of_the_float_graph() -> None:
    model = Model()
    graph = load_graph(model.build(residual_plain(model)))
    for precision in ("int8_dynamic", "int8_static"):
        kernels = predict_kernels(graph, ExecutionTraits(precision=precision))
        assert {node for kernel in kernels for node in kernel.nodes} <= set(range(len(graph.nodes)))
        assert any(kernel.kind.startswith("int8_conv") and kernel.nodes for kernel in kernels)


def test_trees_cost_what_a_row_compares() -> None:
    space = get_space("kernels")
    graph = load_graph(space.to_onnx(space.parse("trees/trees=20,depth=4,rows=8")))
    kernel = next(kernel for kernel in predict_kernels(graph) if kernel.kind == "trees")
    assert (kernel.operations, kernel.shape["groups"], kernel.shape["depth"]) == (20 * 4 * 8, 20, 4)


@pytest.mark.parametrize("opset", [16, 17])
def test_a_normalisation_between_transposes_is_found_where_it_is_an_operator_of_the_opset(
    opset: int, tmp_path: Path
) -> None:
    model = Model(opset=opset)
    content = model.build(convnext_norm(model))
    assert predicted(content) == executed(content, tmp_path)


def test_a_normalisation_between_transposes_falls_apart() -> None:
    model = Model(opset=16)
    found = predicted(model.build(convnext_norm(model)))
    assert found["Transpose"] == found["LayerNormalization"] == 0
    assert found["ReduceMean"] == 2


def test_a_gemm_behind_a_transpose_knows_its_dimensions() -> None:
    model = Model()
    left = model("Transpose", model("Relu", model.input(4, 112, 80)), perm=[0, 2, 1])
    kernels = predict_kernels(load_graph(model.build(model("MatMul", left, model.weight(112, 48)))))
    product = next(kernel for kernel in kernels if kernel.operator == "MatMul")
    assert product.macs == 4 * 80 * 112 * 48
    assert [product.shape[name] for name in ("depth", "columns")] == [112, 48]


@settings(max_examples=40, deadline=None)
@given(space=st.sampled_from(["zoo", "kernels", "nasbench201"]), seed=st.integers(0, 2**32 - 1))
def test_every_generated_graph_has_sound_kernels(space: str, seed: int) -> None:
    generator = get_space(space)
    graph = load_graph(generator.to_onnx(generator.sample(np.random.default_rng(seed))))
    kernels = predict_kernels(graph)
    covered = [node for kernel in kernels for node in kernel.nodes]
    assert len(covered) == len(set(covered))
    assert sum(kernel.macs * kernel.repeats for kernel in kernels) >= 0.03 * graph.macs  # windows wider than maps
    table = kernel_table(graph)
    assert table.values.shape == (len(kernels), len(WORK_FEATURES) + len(SHAPE_FEATURES))
    assert np.isfinite(table.values).all()
    assert (table.values >= 0).all()
    assert set(table.kinds) <= set(range(len(CLASSES)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_and_order_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    one, other = (kernel_table(item).values for item in (graph, shuffled(graph, rng)))
    assert sorted(map(tuple, one)) == sorted(map(tuple, other))


def test_unknown_operators_stay_kernels_of_their_own() -> None:
    tensors = tuple(TensorSpec(name=f"t{i}", dtype="float32", shape=(8, 8)) for i in range(2))
    node = Node(operator="Sinkhorn", domain="org.example", inputs=(0,), outputs=(1,), flops=1000)
    graph = Graph(hash="g1-unknown", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(node,))
    _, kernel = predict_kernels(graph)
    assert (kernel.kind, kernel.known, kernel.operations) == ("other", False, 1000)


def test_bodies_run_as_often_as_their_loop() -> None:
    tensors = tuple(TensorSpec(name=f"t{i}", dtype="float32", shape=(4, 4)) for i in range(2))
    relu = Node(operator="Relu", inputs=(0,), outputs=(1,))
    body = Graph(hash="g1-body", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(relu,))
    loop = Node(operator="Loop", inputs=(0,), outputs=(1,), bodies=(body,), trips=7)
    graph = Graph(hash="g1-loop", tensors=tensors, inputs=(0,), outputs=(1,), nodes=(loop,))
    assert [(kernel.operator, kernel.repeats) for kernel in predict_kernels(graph)] == [
        ("Call", 1),
        ("Loop", 1),
        ("Relu", 7),
    ]


@pytest.mark.parametrize(("outside", "kind"), [(frozenset({1}), "gemm"), (frozenset(), "matmul")])
def test_bodies_know_the_constants_around_them(outside: frozenset[int], kind: str) -> None:
    tensors = tuple(TensorSpec(name=name, dtype="float32", shape=(4, 4)) for name in ("x", "weights", "y"))
    product = Node(operator="MatMul", inputs=(0, 1), outputs=(2,))
    body = Graph(hash="g1-body", tensors=tensors, inputs=(0,), outputs=(2,), nodes=(product,), outer=(1,))
    loop = Node(operator="Loop", inputs=(0,), outputs=(2,), bodies=(body,), trips=7)
    inputs = (0,) if outside else (0, 1)
    graph = Graph(hash="g1-x", tensors=tensors, inputs=inputs, outputs=(2,), initializers=outside, nodes=(loop,))
    assert [kernel.kind for kernel in predict_kernels(graph)][2:] == [kind]


def test_a_graph_that_computes_nothing_is_still_called() -> None:
    model = Model()
    table = kernel_table(load_graph(model.build(model("Identity", model.input(1, 4)))))
    assert table.operators == ("Call",)
    assert len(stack_tables([table, table]).graph) == 2


def test_taps_on_padding_are_skipped() -> None:
    model = Model()
    weights, bias = model.weight(32, 32, 3, 3), model.weight(32)
    x = model("Conv", model.input(1, 32, 4, 4), weights, bias, pads=[4] * 4, dilations=[4, 4])
    conv = next(k for k in predict_kernels(load_graph(model.build(x))) if k.operator == "Conv")
    assert conv.macs == pytest.approx(16 * 32 * 32 * 9 / 3)


def _timing(operator: str, time_ms: float, node: int | None, *shape: int) -> KernelTiming:
    return KernelTiming(operator=operator, share=0.1, time_ms=time_ms, node=node, output_shapes=(shape,))


def test_timings_reach_their_kernels() -> None:
    model = Model()
    x = model("Relu", model.batch_norm(model.conv(model.input(1, 16, 8, 8), 16, 32), 32))
    graph = load_graph(model.build(model("Elu", x)))
    timings = [
        _timing("ReorderInput", 1.0, None, 1, 16, 8, 8),
        _timing("Conv", 5.0, 2, 1, 32, 8, 8),
        _timing("ReorderOutput", 2.0, 2, 1, 32, 8, 8),
        _timing("Elu", 3.0, 3, 1, 32, 8, 8),
    ]
    assert [k.operator for k in predict_kernels(graph)] == ["Call", "ReorderInput", "Conv", "ReorderOutput", "Elu"]
    assert attribute_timings(graph, timings)[1:].tolist() == [1.0, 5.0, 2.0, 3.0]


def test_renamed_and_taken_apart_kernels_are_found() -> None:
    model = Model(opset=18)
    x = model.linear(model.input(2, 8, 64), 64, 32)
    graph = load_graph(model.build(model("Mish", x)))
    timings = [
        _timing("Reshape", 0.5, None, 16, 64),
        _timing("Gemm", 4.0, None, 16, 32),
        _timing("Reshape", 0.25, 1, 2, 8, 32),
        _timing("Softplus", 6.0, None, 2, 8, 32),
        _timing("Tanh", 1.0, None, 2, 8, 32),
        _timing("Mul", 1.0, 2, 2, 8, 32),
    ]
    assert attribute_timings(graph, timings)[1:].tolist() == [4.75, 8.0]


def test_what_was_taken_apart_at_the_end_is_found() -> None:
    model = Model()
    graph = load_graph(model.build(model("ArgMax", model("Elu", model.input(1, 4, 4)), axis=1)))
    timings = [
        _timing("Elu", 1.0, 0, 1, 4, 4),
        _timing("TopK", 3.0, None, 1, 1, 4),
        _timing("Convert", 0.5, None, 1, 4),
    ]
    assert attribute_timings(graph, timings)[1:].tolist() == [1.0, 3.5]
    model = Model()
    only = load_graph(model.build(model("Elu", model.input(1, 4, 4))))
    assert attribute_timings(only, timings)[-1] == 4.5


def test_kernels_without_a_timing_have_no_label() -> None:
    model = Model()
    graph = load_graph(model.build(model("Elu", model("Softplus", model.input(1, 4)))))
    assert np.isnan(attribute_timings(graph, [_timing("Softplus", 1.0, 0, 1, 4)])).tolist() == [True, False, True]
