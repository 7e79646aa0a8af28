"""Figures keep digits and units, however small they are."""

import pytest

from latcast.schema.figures import duration, milliseconds, rate


@pytest.mark.parametrize(
    ("ms", "column", "alone"),
    [
        (12.3456, "12.346", "12.346 ms"),
        (123.456, "123.5", "123.5 ms"),
        (0.1, "0.100", "0.100 ms"),
        (0.00421, "4.21 µs", "4.21 µs"),
        (0.0000042, "0.0042 µs", "0.0042 µs"),
        (0.0, "0.000", "0.000 ms"),
    ],
)
def test_a_time_has_digits_and_a_unit(ms: float, column: str, alone: str) -> None:
    assert milliseconds(ms) == column
    assert duration(ms) == alone


def test_a_time_that_is_not_there_is_a_dash() -> None:
    assert milliseconds(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(689.12, "689.1"), (1.44, "1.4"), (0.25, "0.25"), (0.0072214, "0.0072"), (-0.031, "-0.031"), (0.0, "0")],
)
def test_a_rate_has_digits(value: float, text: str) -> None:
    assert rate(value) == text
