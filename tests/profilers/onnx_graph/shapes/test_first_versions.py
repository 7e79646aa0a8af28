"""Operators in their first version have the shapes that they have in the first one that onnx infers."""

import numpy as np
import pytest
from onnx import TensorProto, defs, helper
from onnx.reference import ReferenceEvaluator

from latcast.schema import InvalidModelError
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.remarks import remarks_of, unknown_macs
from profilers.onnx_graph.shapes.first_versions import FIRST_RULES, is_first_without_inference, later_form
from profilers.onnx_graph.source import Operation
from tests.profilers.onnx_graph.models import F, made, shapes_of

node = helper.make_node
FIRST = [
    schema
    for schema in defs.get_all_schemas_with_history()
    if schema.domain == "" and schema.since_version == 1 and not schema.has_type_and_shape_inference_function
]
CHANNELS = ("s", "b", "m", "v")


def weights(**shapes: tuple[int, ...]) -> list[tuple[str, np.ndarray]]:
    return [(name, np.ones(shape, np.float32)) for name, shape in shapes.items()]


def shape_of(made_by: object, *, x: tuple[int, ...] = (2, 6, 5, 4), opset: int = 1, **read: tuple[int, ...]) -> object:
    """Shape of the first output of one node that reads `x` and constants."""
    graph = load_graph(made([made_by], [("x", F, x)], [("y", F)], weights(**read), opset=opset))
    return shapes_of(graph)["y"]


def test_each_operator_that_onnx_infers_nothing_of_in_its_first_version_has_a_rule_or_a_later_form() -> None:
    assert len(FIRST) >= 30
    for schema in FIRST:
        proto = node(schema.name, ["x"], ["y"])
        form = later_form(proto, Operation(schema.name, "", plain={}, tensors={}), schema, [None])
        assert is_first_without_inference(schema)
        assert schema.name in FIRST_RULES or form is not None, schema.name


@pytest.mark.parametrize(
    "operator",
    ["Abs", "Ceil", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu", "Selu",
     "Sigmoid", "Sqrt", "Tanh", "Clip", "Dropout", "Max", "Min", "Mean", "Sum"],
)  # fmt: skip
def test_what_works_on_each_element_keeps_the_shape(operator: str) -> None:
    assert shape_of(node(operator, ["x"], ["y"])) == (2, 6, 5, 4)


@pytest.mark.parametrize(
    ("made_by", "read", "wanted"),
    [
        (node("Add", ["x", "b"], ["y"], broadcast=1, axis=1), {"b": (6,)}, (2, 6, 5, 4)),
        (node("BatchNormalization", ["x", *CHANNELS], ["y"], is_test=1, consumed_inputs=[0, 0, 0, 1, 1]),
         dict.fromkeys(CHANNELS, (6,)), (2, 6, 5, 4)),
        (node("InstanceNormalization", ["x", "s", "b"], ["y"]), {"s": (6,), "b": (6,)}, (2, 6, 5, 4)),
        (node("PRelu", ["x", "s"], ["y"]), {"s": (6,)}, (2, 6, 5, 4)),
        (node("Concat", ["x", "o"], ["y"]), {"o": (2, 3, 5, 4)}, (2, 9, 5, 4)),
        (node("Concat", ["x", "o"], ["y"], axis=3), {"o": (2, 6, 5, 1)}, (2, 6, 5, 5)),
        (node("Reshape", ["x"], ["y"], shape=[0, -1, 10]), {}, (2, 12, 10)),
        (node("Pad", ["x"], ["y"], paddings=[0, 0, 1, 1, 0, 0, 2, 2]), {}, (2, 6, 8, 7)),
        (node("LpPool", ["x"], ["y"], kernel_shape=[2, 2], p=2.0), {}, (2, 6, 4, 3)),
        (node("GlobalLpPool", ["x"], ["y"], p=2.0), {}, (2, 6, 1, 1)),
        (node("Split", ["x"], ["y", "z"], axis=1, split=[2, 4]), {}, (2, 2, 5, 4)),
        (node("Upsample", ["x"], ["y"], height_scale=2.0, width_scale=1.5), {}, (2, 6, 10, 6)),
        (node("Cast", ["x"], ["y"], to="FLOAT16"), {}, (2, 6, 5, 4)),
    ],
)  # fmt: skip
def test_sizes_follow_from_attributes(made_by: object, read: dict[str, tuple[int, ...]], wanted: object) -> None:
    assert shape_of(made_by, **read) == wanted


def test_a_first_gemm_and_gru_count_their_work() -> None:
    product = made([node("Gemm", ["x", "w", "b"], ["y"], broadcast=1, transB=1)], [("x", F, (3, 8))], [("y", F)],
                   weights(w=(10, 8), b=(10,)), opset=1)  # fmt: skip
    assert load_graph(product).macs == 3 * 8 * 10
    unit = made([node("GRU", ["x", "w", "r"], ["y"], hidden_size=16, output_sequence=1)], [("x", F, (7, 2, 8))],
                [("y", F)], weights(w=(1, 48, 8), r=(1, 48, 16)), opset=1)  # fmt: skip
    assert shapes_of(load_graph(unit))["y"] == (7, 1, 2, 16)


def test_upsampled_sizes_are_those_of_the_later_operator() -> None:
    x = np.zeros((1, 2, 5, 7), np.float32)
    later = helper.make_graph(
        [node("Resize", ["x", "", "s"], ["y"], mode="nearest")], "g",
        [helper.make_tensor_value_info("x", F, x.shape)], [helper.make_tensor_value_info("y", F, None)],
        [helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 1.7, 2.5])],
    )  # fmt: skip
    model = helper.make_model(later, opset_imports=[helper.make_opsetid("", 13)])
    (run,) = ReferenceEvaluator(model).run(None, {"x": x})
    first = node("Upsample", ["x"], ["y"], height_scale=1.7, width_scale=2.5, mode="nearest")
    assert shape_of(first, x=x.shape) == run.shape


def test_a_network_of_the_first_opsets_has_work_and_a_remark_that_says_what_to_do() -> None:
    nodes = [
        node("Upsample", ["x"], ["u"], height_scale=2.0, width_scale=2.0),
        node("Conv", ["u", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", *CHANNELS], ["n"], is_test=1, consumed_inputs=[0, 0, 0, 1, 1]),
        node("Relu", ["n"], ["y"]),
    ]
    read = weights(w=(8, 3, 3, 3), **dict.fromkeys(CHANNELS, (8,)))
    graph = load_graph(made(nodes, [("x", F, (1, 3, 16, 16))], [("y", F)], read, opset=3))
    assert graph.macs == 32 * 32 * 8 * 3 * 9
    assert unknown_macs(graph) == 0
    (remark,) = remarks_of(graph)
    assert "version 3 of ai.onnx" in remark
    assert "onnx.version_converter" in remark


@pytest.mark.parametrize(
    ("made_by", "said"),
    [
        (node("Reshape", ["x"], ["y"], shape=[7, -1]), r"attribute shape is \[7, -1\], which \[2, 6, 5, 4\] cannot"),
        (node("Reshape", ["x"], ["y"], shape=[1, 1, 1, 1, 0]), "cannot become"),
        (node("Cast", ["x"], ["y"], to="FLOAT33"), "attribute to is 'FLOAT33', and has to name a type"),
    ],
)
def test_attributes_that_no_tensor_fits_are_named(made_by: object, said: str) -> None:
    with pytest.raises(InvalidModelError, match=said):
        shape_of(made_by)
