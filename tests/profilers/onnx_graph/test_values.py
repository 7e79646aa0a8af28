"""What is known of a tensor: sizes, values, and how onnx wants it."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers.onnx_graph.source import SourceTensor
from profilers.onnx_graph.values import Value


@pytest.mark.parametrize(
    ("dims", "shape", "size"), [((2, 3), (2, 3), 24), ((2, None), None, 0), (None, None, 0), ((), (), 4)]
)
def test_only_static_sizes_are_a_shape(dims: tuple[int | None, ...] | None, shape: object, size: int) -> None:
    value = Value("x", "float32", dims)
    assert (value.shape, value.size_bytes) == (shape, size)


@pytest.mark.parametrize("dims", [(2, 3), (2, None), (), None])
def test_declarations_are_read_as_they_are_written(dims: tuple[int | None, ...] | None) -> None:
    again = Value.from_type("x", Value("x", "int8", dims).type_proto)
    assert (again.dtype, again.dims) == ("int8", dims)


def test_what_is_no_tensor_keeps_its_type() -> None:
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, (2,)))
    value = Value.from_type("x", sequence)
    assert (value.dtype, value.dims, value.type_proto) == ("", None, sequence)


def test_constants_are_told_apart_by_their_values() -> None:
    one, same, other = (Value("x", "int64", (1,), data=np.array([item])) for item in (1, 1, 2))
    assert one.key == same.key != other.key
    assert Value("x", "int64", (1,)).key == ()
    assert Value("x", "float32", (1000,), data=np.zeros(1000, np.float32)).key is None
    assert numpy_helper.to_array(one.tensor_proto).tolist() == [1]


def test_values_are_read_when_they_are_asked_for() -> None:
    proto = numpy_helper.from_array(np.array([4, 5]), "c")
    value = Value("c", "int64", (2,), constant=True, source=SourceTensor(proto, "c", (2,)))
    assert value.data is not None
    assert value.data.tolist() == [4, 5]
