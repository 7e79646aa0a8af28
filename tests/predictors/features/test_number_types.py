"""Element types are those that runtimes compute in, or rare."""

import pytest

from latcast.schema import DTYPE_BYTES
from predictors.features.number_types import is_rare


@pytest.mark.parametrize(
    "dtype", ["bfloat16", "complex64", "complex128", "float64", "float8e4m3fn", "float6e2m3", "float4e2m1"]
)
def test_few_runtimes_compute_in_these(dtype: str) -> None:
    assert is_rare(dtype)


def test_all_others_are_common() -> None:
    common = {dtype for dtype in DTYPE_BYTES if not is_rare(dtype)}
    assert {"float32", "float16", "bool", "string"} <= common
    assert all(dtype.startswith(("float32", "float16", "int", "uint", "bool", "string")) for dtype in common)
