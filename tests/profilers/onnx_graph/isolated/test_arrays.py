"""Arrays cross the pipe unchanged, and lying descriptions of them are refused."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from predictors.features.kernels import kernel_table
from predictors.testing.graphs import random_graph
from profilers.onnx_graph.isolated import arrays
from profilers.onnx_graph.isolated.arrays import bytes_array, pack_arrays, unpack_arrays

LARGEST = 2**20
TYPES = st.sampled_from(["|b1", "|u1", "|i1", "<i4", "<i8", "<f2", "<f4", "<f8", ">f8", ">i4"])


def across(sent: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    described, parts = pack_arrays(sent)
    return unpack_arrays(described, b"".join(parts), largest=LARGEST)


@given(
    st.dictionaries(
        st.text(max_size=8),
        TYPES.flatmap(lambda code: hnp.arrays(code, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))),
        max_size=5,
    )
)
def test_arrays_cross_unchanged(sent: dict[str, NDArray[Any]]) -> None:
    received = across(sent)
    assert list(received) == list(sent)
    for name, array in sent.items():
        assert received[name].shape == array.shape
        assert received[name].dtype == array.dtype.newbyteorder("<")
        np.testing.assert_array_equal(received[name], array)  # NaN equals NaN


def test_a_transposed_array_crosses_as_it_is_read() -> None:
    array = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(across({"x": array})["x"], array)


def test_a_kernel_table_crosses_as_its_arrays() -> None:
    table = kernel_table(random_graph(np.random.default_rng(1)))
    values = {field.name: getattr(table, field.name) for field in fields(table)}
    columns = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    received = across(columns)
    assert set(received) == {"kinds", "values", "repeats", "known", "graph", "warm", "unsigned", "undecided"}
    for name, column in columns.items():
        assert received[name].dtype == column.dtype
        np.testing.assert_array_equal(received[name], column)


def test_bytes_cross_as_an_array() -> None:
    assert across({"model": bytes_array(b"\x00abc\xff"), "none": bytes_array(b"")})["model"].tobytes() == b"\x00abc\xff"


def test_what_is_received_is_not_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        across({"x": np.zeros(3)})["x"][0] = 1


@pytest.mark.parametrize(
    "described",
    [
        None,
        {},
        "x",
        [["x", "<f8"]],
        [[7, "<f8", [1]]],
        [["x" * 65, "<f8", [1]]],
        [["x", "|O8", [1]]],
        [["x", "<U4", [1]]],
        [["x", ["<f8"], [1]]],
        [["x", "<f8", 1]],
        [["x", "<f8", [1.0]]],
        [["x", "<f8", [True]]],
        [["x", "<f8", [-1]]],
        [["x", "<f8", [-1, -1]]],
        [["x", "<f8", [2**31]]],
        [["x", "<f8", [2**40, 0]]],
        [["x", "<f8", [1] * 9]],
        [["x", "<f8", [2]]],
        [["x", "<f8", []], ["x", "<f8", []]],
        [["x", "<f8", []], ["y", "|u1", [1]]],
        [[str(index), "|u1", [0]] for index in range(257)],
    ],
)
def test_lying_descriptions_are_refused(described: object) -> None:
    with pytest.raises(ValueError, match="arra"):
        unpack_arrays(described, bytes(8), largest=LARGEST)


@given(st.integers(0, 40), st.integers(0, 5), st.sampled_from(["|u1", "<f8"]))
def test_a_payload_of_another_length_is_refused(length: int, size: int, code: str) -> None:
    expected = -(-size * np.dtype(code).itemsize // 8) * 8
    described = [["x", code, [size]]]
    if length == expected:
        assert unpack_arrays(described, bytes(length), largest=LARGEST)["x"].shape == (size,)
    else:
        with pytest.raises(ValueError, match="not those described"):
            unpack_arrays(described, bytes(length), largest=LARGEST)


def test_the_receiver_sets_the_limit() -> None:
    described, parts = pack_arrays({"x": np.zeros(100)})
    with pytest.raises(ValueError, match="more than 799"):
        unpack_arrays(described, b"".join(parts), largest=799)


def test_what_would_be_refused_is_not_sent() -> None:
    with pytest.raises(ValueError, match="types"):
        pack_arrays({"x": np.array(["text"])})
    with pytest.raises(ValueError, match="list of at most"):
        pack_arrays({str(index): np.zeros(1) for index in range(arrays.MOST_ARRAYS + 1)})
