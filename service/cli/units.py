"""Figures for people: with units, and with digits however small they are."""

import time
from collections.abc import Mapping

from latcast.schema.counting import counted
from latcast.schema.figures import SMALLEST_MS, duration, milliseconds, rate

__all__ = ["ago", "between", "count", "duration", "macs", "milliseconds", "parameters", "rate", "size"]


def between(low_ms: float, high_ms: float) -> str:
    """Two times in a column of ms: `0.124 – 9.205`; in µs where ms would show no digits, `1.9 – 126 µs`.

    No end stands without its unit beside one of another: where neither unit does for both, each has its own.
    """
    ends = (low_ms, high_ms)
    if not any(0 < abs(ms) < SMALLEST_MS for ms in ends):
        return " – ".join(map(milliseconds, ends))
    if max(map(abs, ends)) < 1:
        return " – ".join(f"{ms * 1000:.3g}" for ms in ends) + " µs"
    return " – ".join(map(duration, ends))


def count(value: float) -> str:
    """A large number or a mean: `1.44 M`, `7`, `0.25`, `0.0007`."""
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.2f}{unit}"
    return f"{value:.0f}" if value == int(value) else rate(value) if value < 0.1 else f"{value:.2f}"


def size(value: float) -> str:
    """A number of bytes: `1.4 MiB`."""
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value:.0f} B"


def macs(total: float, unknown_of: int) -> str:
    """Multiply-accumulates, and of how many nodes nobody knows them."""
    return f"{count(total)}, unknown of {counted(unknown_of, 'node')}" if unknown_of else count(total)


def parameters(counts: Mapping[str, int], size_bytes: float) -> str:
    """How many of each element type there are, the most frequent first, and their bytes."""
    listed = ", ".join(f"{count(number)} {dtype}" for dtype, number in counts.items() if number)
    return f"{listed}: {size(size_bytes)}" if listed else "none"


def ago(unix_s: float | None, now: float | None = None) -> str:
    """How long ago a moment is: `12 s ago`, `3 h ago`; never for None."""
    if unix_s is None:
        return "never"
    seconds = max(0.0, (time.time() if now is None else now) - unix_s)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
