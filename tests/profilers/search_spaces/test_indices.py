"""Lists of indices, however they are written."""

import pytest

from profilers.search_spaces.indices import IndexOrder, read_indices


@pytest.mark.parametrize(
    "text",
    ["4,0,3,1,4,3", "[4 0 3 1 4 3]", "(4, 0, 3, 1, 4, 3)", "403143", "{4;0;3;1;4;3}", " [4.  0. 3. 1. 4. 3.] ",
     "4\t0 3 1  4 3", "[4, 0, 3, 1, 4, 3,]", "[403143]", "4.0,0.0,3.0,1.0,4.0,3.0"],
)  # fmt: skip
def test_six_indices_are_read(text: str) -> None:
    assert read_indices(text) == (4, 0, 3, 1, 4, 3)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "4,,0", "4,0,x", "-1,0", "4.5,0", "[4,0", "4,0]", "(4,0]", "|none~0|", "k3_e1", "٤,٠", "1e1,2", "4|0|3",
     "100,2"],
)  # fmt: skip
def test_what_lists_none_is_none(text: str) -> None:
    assert read_indices(text) is None


def test_a_text_of_any_length_is_read_at_once() -> None:
    assert read_indices("4" + " " * 100_000 + "0") == (4, 0)
    assert read_indices("4" + " " * 100_000 + "x") is None
    assert read_indices("4" * 100_000) == (4,) * 100_000


def test_an_order_tells_what_the_indices_mean_and_where() -> None:
    order = IndexOrder("theirs", "Theirs", ("b", "a"), (0, 2, 1))
    assert order.read((0, 1, 1), ("a", "b")) == (1, 0, 0)
