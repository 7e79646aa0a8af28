"""Figures for people, with digits however small they are."""

__all__ = ["duration", "milliseconds", "rate"]

SMALLEST_MS = 0.1
"""Below it a time in ms has too few digits: it is given in µs."""


def milliseconds(ms: float | None) -> str:
    """A time in a column of ms: `12.345`, `123.4`, `4.21 µs` where ms would show no digits, and – for None."""
    if ms is None:
        return "–"
    if abs(ms) >= SMALLEST_MS or ms == 0:
        return f"{ms:.3f}" if abs(ms) < 100 else f"{ms:.1f}"
    return f"{ms * 1000:.3g} µs"


def duration(ms: float) -> str:
    """A time with its unit: `12.345 ms`, `4.21 µs`."""
    text = milliseconds(ms)
    return text if text.endswith("s") else f"{text} ms"


def rate(value: float) -> str:
    """A rate, a ratio or a mean: `48.2`, `0.0072` where one digit after the point would be none, `0` for nothing."""
    if value == 0:
        return "0"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
