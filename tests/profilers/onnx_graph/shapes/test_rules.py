"""What rules of shapes are made of: broadcasting, and inputs that may be missing."""

import numpy as np
import pytest

from latcast.schema import InvalidModelError
from profilers.onnx_graph.shapes.rules import broadcast, dims_of, dtype_of, given, integers_of, ranked
from profilers.onnx_graph.values import Value

X = Value("x", "float32", (2, None))
S = Value("s", "int64", (2,), data=np.array([3, 4]))
INPUTS = [X, None, S]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(2, 3), (3,)], (2, 3)),
        ([(2, 1, 4), (3, 1)], (2, 3, 4)),
        ([(2, None), (1, 1)], (2, None)),
        ([(None,), (3,)], (3,)),
        ([(2,), None], None),
        ([()], ()),
    ],
)
def test_broadcasting(shapes: list[tuple[int | None, ...] | None], expected: object) -> None:
    assert broadcast(*shapes) == expected


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(InvalidModelError, match=r"\[2, 3\] and \[4, 3\] cannot be broadcast"):
        broadcast((2, 3), (4, 3))


def test_inputs_may_be_missing() -> None:
    assert [given(INPUTS, at) for at in range(4)] == [X, None, S, None]
    assert [dims_of(INPUTS, at) for at in range(4)] == [(2, None), None, (2,), None]
    assert [dtype_of(INPUTS, at) for at in range(4)] == ["float32", "", "int64", ""]
    assert [integers_of(INPUTS, at) for at in range(4)] == [None, None, [3, 4], None]


def test_a_rank_that_is_wanted() -> None:
    assert ranked(INPUTS, 0, 2) == (2, None)
    assert ranked(INPUTS, 1, 3) == (None,) * 3
    with pytest.raises(InvalidModelError, match="input 0 has 2 dimensions instead of 3"):
        ranked(INPUTS, 0, 3)
