"""Quantised models compute nearly the same, and lead back to the model as it was."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from latcast.schema import InvalidModelError, ProfileSettings
from profilers.backends.onnxruntime import OnnxRuntimeBackend
from profilers.feeds import feed_specs, make_feeds
from profilers.onnx_graph import load_graph, refill_weights
from profilers.quantisation import INT8_PRECISIONS
from profilers.quantisation.tools import quantise
from profilers.search_spaces import get_space
from profilers.testing.backends import small_models

SMALL = [(name, spec, model.SerializeToString()) for name, spec, model in small_models()]


def operators(model: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_model_from_string(model).graph.node}


@pytest.mark.parametrize("precision", INT8_PRECISIONS)
def test_outputs_stay_near_those_in_float32(precision: str) -> None:
    backend = OnnxRuntimeBackend()
    for name, spec, model in SMALL:
        found = []
        for tried in ("fp32", precision):
            with backend.open(model, ProfileSettings(precision=tried)) as session:
                found.append(session.run(make_feeds([spec], seed=7))["y"])
        assert not np.array_equal(*found), name
        np.testing.assert_allclose(*found, atol=0.05 * np.abs(found[0]).max(), err_msg=name)


@pytest.mark.parametrize("precision", INT8_PRECISIONS)
def test_every_kernel_leads_back_to_the_model_as_it_was(precision: str) -> None:
    settings = ProfileSettings(precision=precision)
    for name, spec, model in SMALL:
        tensors = {output for node in onnx.load_model_from_string(model).graph.node for output in node.output}
        with OnnxRuntimeBackend().open(model, settings) as session:
            records = session.kernels(make_feeds([spec]))
        assert {output for record in records for output in record.outputs} <= tensors, name
        assert {record.operator for record in records if not record.outputs} <= {"Transpose"}, name
        assert any("y" in record.outputs for record in records), name


def test_the_same_model_is_quantised_to_the_same_bytes() -> None:
    for precision in INT8_PRECISIONS:
        assert quantise(SMALL[0][2], precision) == quantise(SMALL[0][2], precision)


def test_weights_are_quantised_for_each_channel() -> None:
    graph = onnx.load_model_from_string(quantise(SMALL[0][2], "int8_static")).graph
    sizes = {tensor.name: tensor.dims for tensor in graph.initializer}
    assert sizes["w1_quantized"] == [8, 4, 3, 3]
    assert sizes["w1_scale"] == [8]


def test_static_quantisation_is_in_pairs_and_dynamic_in_integers() -> None:
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= operators(quantise(SMALL[0][2], "int8_static"))
    assert {"DynamicQuantizeLinear", "ConvInteger"} <= operators(quantise(SMALL[0][2], "int8_dynamic"))


def test_a_model_without_anything_to_quantise_is_refused_in_a_sentence() -> None:
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (2, 3)), value("y", TensorProto.FLOAT, (2, 3))
    graph = helper.make_graph([helper.make_node("Erf", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InvalidModelError, match=r"Nothing in the model can be quantised to int8_dynamic; .* Erf"):
        quantise(model.SerializeToString(), "int8_dynamic")


def test_bytes_that_are_no_model_are_refused() -> None:
    with (
        pytest.raises(InvalidModelError),
        OnnxRuntimeBackend().open(b"\x00no", ProfileSettings(precision=INT8_PRECISIONS[0])),
    ):
        pass


def test_an_older_model_is_brought_up_to_what_quantisation_needs() -> None:
    _, spec, model = SMALL[0]
    old = onnx.load_model_from_string(model)
    old.opset_import[0].version, old.ir_version = 9, 3
    old.graph.input.extend(helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in old.graph.initializer)
    with OnnxRuntimeBackend().open(quantise(old.SerializeToString(), "int8_static"), ProfileSettings()) as session:
        assert session.run(make_feeds([spec]))["y"].shape == (1, 8)


@pytest.mark.slow
@pytest.mark.parametrize("precision", INT8_PRECISIONS)
@pytest.mark.parametrize("family", get_space("zoo").families)
def test_every_family_of_the_zoo_is_quantised_and_runs(family: str, precision: str) -> None:
    zoo = get_space("zoo")
    architecture = next(
        found for seed in range(500) if (found := zoo.sample(np.random.default_rng(seed))).text.startswith(f"{family}/")
    )
    model = refill_weights(zoo.to_onnx(architecture), 0)
    graph = load_graph(model)
    with OnnxRuntimeBackend().open(model, ProfileSettings(precision=precision)) as session:
        assert session.run(make_feeds(feed_specs(graph)))


def test_a_model_that_cannot_be_brought_up_is_refused_in_a_sentence() -> None:
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"], spatial=0)
    shape = [4, 6]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *shape])]
    weights = [helper.make_tensor(name, TensorProto.FLOAT, shape, [1.0] * 24) for name in "sbmv"]
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("y")], weights)
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=4)
    with pytest.raises(InvalidModelError) as refused:
        quantise(old.SerializeToString(), "int8_dynamic")
    assert "cannot be brought from opset 7 to 13" in str(refused.value)
    assert str(refused.value).endswith("export it with opset 13 or newer.")
    assert "transformers.h" not in str(refused.value)
