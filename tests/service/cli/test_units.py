"""Figures keep digits and units, however small or large they are."""

import pytest

from service.cli.units import ago, between, count


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "text"),
    [
        (0.1239, 9.2054, "0.124 – 9.205"),
        (0.0019, 0.126, "1.9 – 126 µs"),
        (0.0006, 0.089, "0.6 – 89 µs"),
        (0.0, 0.089, "0 – 89 µs"),
        (0.0, 1.0, "0.000 – 1.000"),
        (0.004, 590.0, "4 µs – 590.0 ms"),
        (-0.02, 0.5, "-20 – 500 µs"),
    ],
)
def test_both_ends_have_one_unit_or_each_its_own(low_ms: float, high_ms: float, text: str) -> None:
    assert between(low_ms, high_ms) == text


def test_large_numbers_have_prefixes() -> None:
    assert [count(value) for value in (7, 0.25, 0.00067, 1440, 1.44e6, 3e9, 2e12)] == [
        "7", "0.25", "0.00067", "1.44 k", "1.44 M", "3.00 G", "2.00 T"
    ]  # fmt: skip


def test_moments_are_told_from_now() -> None:
    assert [ago(1000.0 - seconds, 1000.0) for seconds in (5, 119, 7200, 200_000)] == [
        "5 s ago", "2 min ago", "2 h ago", "2 d ago"
    ]  # fmt: skip
    assert ago(None) == "never"
    assert ago(1001.0, 1000.0) == "0 s ago"
