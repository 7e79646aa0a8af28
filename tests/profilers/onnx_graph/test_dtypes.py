"""Element types by the schema's names."""

import pytest
from onnx import TensorProto

from latcast.onnx_files.usage import FLOATS
from latcast.schema import DTYPE_BYTES, InputError
from profilers.onnx_graph.dtypes import DTYPE_NAMES, INTEGERS, dtype_code, dtype_name


@pytest.mark.parametrize("name", sorted(DTYPE_NAMES.values()))
def test_names_and_codes_are_inverse(name: str) -> None:
    assert dtype_name(dtype_code(name)) == name
    assert DTYPE_BYTES[name] > 0


def test_names_are_those_of_arrays() -> None:
    assert [dtype_name(code) for code in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT4)] == [
        "float32", "float64", "int4",
    ]  # fmt: skip
    assert DTYPE_NAMES.keys() <= set(TensorProto.DataType.values())
    assert not FLOATS & INTEGERS


def test_what_is_unknown_has_no_name_and_no_code() -> None:
    assert [dtype_name(code) for code in (TensorProto.UNDEFINED, 99, -1)] == ["", "", ""]
    with pytest.raises(InputError, match="float31"):
        dtype_code("float31")
