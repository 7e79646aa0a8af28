"""Names by which sizes are given, as the onnx package reads them."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from latcast.onnx_files import DeclaredInputs, declared_inputs, without_weights

DIMENSIONS = st.lists(st.one_of(st.integers(0, 9), st.none(), st.text(max_size=5)), max_size=4)
TYPES = st.one_of(
    st.none().map(lambda _: helper.make_tensor_type_proto(TensorProto.FLOAT, None)),
    DIMENSIONS.map(lambda shape: helper.make_tensor_type_proto(TensorProto.INT64, shape)),
    DIMENSIONS.map(
        lambda shape: helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, shape))
    ),
)
INPUTS = st.lists(
    st.tuples(st.text(min_size=1, max_size=6), TYPES, st.booleans()), max_size=5, unique_by=lambda one: one[0]
)


@given(inputs=INPUTS)
def test_names_and_symbols_are_those_of_the_fed_tensors(inputs: list[tuple[str, onnx.TypeProto, bool]]) -> None:
    weights = [numpy_helper.from_array(np.zeros(40, np.float32), name) for name, _, constant in inputs if constant]
    declared = [helper.make_value_info(name, kind) for name, kind, _ in inputs]
    model = helper.make_model(helper.make_graph([], "g", declared, [], weights)).SerializeToString()
    graph = onnx.load_from_string(model).graph
    constants = {one.name for one in graph.initializer}
    fed = [one for one in graph.input if one.name not in constants]
    symbols = [dim.dim_param for one in fed for dim in one.type.tensor_type.shape.dim if dim.dim_param]
    expected = DeclaredInputs(tuple(one.name for one in fed), tuple(dict.fromkeys(symbols)))
    assert declared_inputs(model) == declared_inputs(without_weights(model)) == expected


@pytest.mark.parametrize("content", [b"", b"no model", b"\x3a\xff", b"\x08\x07"])
def test_what_is_no_model_declares_nothing(content: bytes) -> None:
    assert declared_inputs(content) is None
