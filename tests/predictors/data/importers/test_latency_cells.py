"""Latencies as cells of tables: units, decimal commas, thousands, failed runs and what can be read in two ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema import InputError
from predictors.data.importers.latency_cells import latency_ms, unit_of_header


@pytest.mark.parametrize(
    ("cell", "ms"),
    [
        ("3.1", 3.1), (" 3.1 ms", 3.1), ("3.1ms", 3.1), ("250 us", 0.25), ("250µs", 0.25), ("250 μs", 0.25),
        ("0.0031 s", 3.1), ("1e2", 100.0), (7, 7.0), ("1 234,5", 1234.5), ("1'234.5", 1234.5), ("1.234,5", 1234.5),
        ("3,14", 3.14), ("1,234.5", 1234.5), ("1,234,567.25 us", 1234.56725),
    ],
)  # fmt: skip
def test_cells_that_are_read(cell: object, ms: float) -> None:
    assert latency_ms(cell) == pytest.approx(ms)


def test_a_comma_before_three_digits_is_a_decimal_sign_where_no_comma_parts_columns() -> None:
    assert latency_ms("3,140", decimal_comma=True) == pytest.approx(3.14)
    with pytest.raises(InputError, match="read in two ways"):
        latency_ms("3,140")


@pytest.mark.parametrize("cell", ["inf", "", None, "-1", "0", "nan", "OOM", "N/A", "-", float("inf"), -2.0])
def test_failed_runs(cell: object) -> None:
    with pytest.raises(InputError, match="failed run"):
        latency_ms(cell)


@pytest.mark.parametrize("cell", ["1_000", "fast", "3.1 h", "3.1.2", "١٢", True, "0x10", "1,2,3"])
def test_what_is_no_number(cell: object) -> None:
    with pytest.raises(InputError, match=r"not a number|two ways"):
        latency_ms(cell)


def test_units_of_headers() -> None:
    headers = ("ms", "latency_us", "Latency [µs]", "time (s)", "latency", "params", "gpu-ns")
    assert [unit_of_header(name) for name in headers] == ["ms", "us", "µs", "s", None, None, "ns"]
    assert latency_ms("2", unit="s") == 2000.0


@given(st.text(max_size=40), st.booleans())
def test_any_text_is_a_positive_number_or_a_sentence(text: str, decimal_comma: bool) -> None:
    try:
        ms = latency_ms(text, decimal_comma=decimal_comma)
    except InputError:
        return
    assert 0 < ms < float("inf")
