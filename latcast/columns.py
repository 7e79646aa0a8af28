"""Answers in columns, as `POST /v1/predict` gives them for many networks."""

from collections.abc import Sequence
from typing import Any

__all__ = ["MOST_COLUMNS", "joined"]

MOST_COLUMNS = 10_000
"""Networks in one call."""
LISTS = ("latency_ms", "low_ms", "high_ms", "measured", "coverage")
FACTS = ("target", "level", "predictor", "kind", "adapted", "measurements", "origin", "warning", "descriptor")


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One answer made of the answers to parts of a list; what they differ in is None.

    Args:
        parts: answers, in the order of the parts.
    """
    errors, start = dict[str, Any](), 0
    for part in parts:
        errors.update({str(start + int(place)): problem for place, problem in part["errors"].items()})
        start += len(part["latency_ms"])
    told = {
        name: {part.get(name) for part in parts} for name in FACTS
    }  # older services tell no `warning` and no `descriptor`
    facts = {name: values.pop() if len(values) == 1 else None for name, values in told.items()}
    return facts | {name: [value for part in parts for value in part[name]] for name in LISTS} | {"errors": errors}
