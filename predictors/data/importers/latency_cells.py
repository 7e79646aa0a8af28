"""Latencies as people write them into tables: units, decimal commas, and what stands for a failed run."""

import math
import re
from collections.abc import Mapping
from typing import Any

from latcast.schema import InputError, UnknownNameError

__all__ = ["UNITS", "latency_ms", "require_unit", "unit_of_header"]

UNITS: Mapping[str, float] = {
    "ns": 1e-6, "nanoseconds": 1e-6,
    "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "usec": 1e-3, "microseconds": 1e-3,
    "ms": 1.0, "msec": 1.0, "milliseconds": 1.0,
    "s": 1e3, "sec": 1e3, "seconds": 1e3,
}  # fmt: skip
"""Milliseconds by unit; the two signs for micro are different characters."""

_CELL = re.compile(r"(?P<number>[+-]?[0-9][0-9.,\u0020\u00a0\u202f']*(?:[eE][+-]?[0-9]+)?)\s*(?P<unit>[a-zA-Zµμ]*)")
_POINT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]*(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:[\u0020\u00a0\u202f'][0-9]{3})+(?:[.,][0-9]*)?")
"""Thousands apart by a blank or an apostrophe, which no decimal sign is."""
_GROUPED_COMMAS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*")
"""Thousands apart by commas before a point, which is then the decimal sign: 1,234.5."""
_GROUPED_POINTS = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*")
_FAILED = frozenset(
    (
        "",
        "nan",
        "inf",
        "+inf",
        "-inf",
        "infinity",
        "none",
        "null",
        "na",
        "n/a",
        "-",
        "oom",
        "failed",
        "error",
        "timeout",
    )
)
"""What tables say instead of a number, in small letters."""
_IN_HEADER = re.compile(r"(?:^|[\s_(\[/-])(?P<unit>[a-zµμ]+)[)\]]?$")


def require_unit(unit: str | None) -> None:
    """Refuse what is no unit; None, for what the table says, is fine.

    Raises:
        UnknownNameError: it is none of `UNITS`.
    """
    if unit is not None and unit not in UNITS:
        raise UnknownNameError("unit", unit, tuple(UNITS))


def unit_of_header(name: str) -> str | None:
    """The unit that a column's name ends with (`latency_us`, `Latency [µs]`), None where it names none."""
    match = _IN_HEADER.search(name.strip().lower())
    return match["unit"] if match and match["unit"] in UNITS else None


def latency_ms(value: Any, *, unit: str = "ms", decimal_comma: bool = False) -> float:
    """The latency in ms of a cell.

    Args:
        value: number or text of the cell; a text may carry a unit of its own, which then counts.
        unit: one of `UNITS`, the unit of cells that carry none.
        decimal_comma: whether `3,14` is a number, as in tables whose separator is no comma.

    Raises:
        InputError: the cell holds no number, a number that can be read in two ways, or no latency (a failed run).
    """
    number, own_unit = _number(value, decimal_comma=decimal_comma)
    ms = number * UNITS[own_unit or unit]
    if not (math.isfinite(ms) and ms > 0):
        raise InputError(f"ms is {_shown(value)}, not a latency: it is taken as a failed run.")
    return ms


def _number(value: Any, *, decimal_comma: bool) -> tuple[float, str]:
    """The number of a cell and the unit that stands behind it, empty for none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), ""
    text = str("" if value is None else value).strip()
    if text.lower() in _FAILED:
        raise InputError(f"ms is {_shown(value)}: it is taken as a failed run.")
    match = _CELL.fullmatch(text)
    unit = match["unit"].lower() if match else ""
    if match is None or (unit and unit not in UNITS):
        raise InputError(f"ms is {_shown(value)}, not a number.")
    return float(_plain(match["number"].strip(), value, decimal_comma=decimal_comma)), unit


def _plain(number: str, value: Any, *, decimal_comma: bool) -> str:
    """The number as Python reads it."""
    if _POINT.fullmatch(number):
        return number
    if _GROUPED.fullmatch(number) and not ("," in number and not decimal_comma and _looks_grouped(number)):
        return re.sub(r"[\u0020\u00a0\u202f']", "", number).replace(",", ".")
    if _GROUPED_COMMAS.fullmatch(number):
        return number.replace(",", "")
    if _GROUPED_POINTS.fullmatch(number):
        return number.replace(".", "").replace(",", ".")
    if _COMMA.fullmatch(number) and (decimal_comma or not _looks_grouped(number)):
        return number.replace(",", ".")
    raise InputError(f"ms is {_shown(value)}, which can be read in two ways: write it with a point, such as 1234.5.")


def _looks_grouped(number: str) -> bool:
    """Whether the comma of a number may part thousands rather than decimals, as in 1,234."""
    return len(number.rsplit(",", 1)[1]) == 3


def _shown(value: Any) -> str:
    return repr(str("" if value is None else value)[:40])
