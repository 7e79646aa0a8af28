"""Forecasts of many networks as columns."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latcast.errors import error_of_problem
from latcast.schema import LatcastError

__all__ = ["COLUMNS", "Forecasts", "Row", "column", "facts_of", "forecasts_of_rows", "rows_of_columns", "rows_of_items"]

COLUMNS = ("latency_ms", "low_ms", "high_ms", "measured", "coverage")
FACTS = ("predictor", "kind", "adapted", "measurements", "origin")
Row = tuple[float, float, float, bool, float] | LatcastError
"""What is known of one network: a value for each of `COLUMNS`, or why there is none."""
UNKNOWN = (math.nan, math.nan, math.nan, False, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Answers to n networks, in their order. Columns are NumPy arrays where it is installed, else lists.

    Args:
        latency_ms: float (n,), median latencies in ms; NaN where there is an error.
        low_ms, high_ms: float (n,), ends of the intervals; NaN where nobody claims one.
        measured: bool (n,), whether a measurement answered.
        coverage: float (n,), share of the predicted cost in operators and shapes that training has seen.
        level: probability with which an interval holds its latency.
        errors: by place, why a network could not be forecast.
        facts: of the predictor that answered: `predictor`, `kind`, `adapted`, `measurements` and `origin`; None where
            several answered.
    """

    latency_ms: Any
    low_ms: Any
    high_ms: Any
    measured: Any
    coverage: Any
    level: float
    errors: Mapping[int, LatcastError]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.latency_ms)

    def __bool__(self) -> bool:
        return True

    def require_all(self) -> "Forecasts":
        """These forecasts, if there is one for each network.

        Raises:
            LatcastError: the first network's error, where there are some.
        """
        for place in sorted(self.errors):
            raise self.errors[place]
        return self


def column(values: Sequence[Any]) -> Any:
    """Values as a NumPy array where it is installed, else as a list."""
    try:
        import numpy as np
    except ImportError:
        return list(values)
    return np.asarray(values)


def forecasts_of_rows(rows: Sequence[Row], *, level: float, facts: Mapping[str, Any]) -> Forecasts:
    """Rows as columns."""
    errors = {place: row for place, row in enumerate(rows) if isinstance(row, LatcastError)}
    whole = [UNKNOWN if isinstance(row, LatcastError) else row for row in rows] if errors else rows
    columns = zip(*whole, strict=True) if whole else [()] * len(COLUMNS)
    made = {name: column(values) for name, values in zip(COLUMNS, columns, strict=True)}
    return Forecasts(**made, level=level, errors=errors, facts=facts)


def rows_of_columns(answer: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of an answer in columns."""
    numbers = ([math.nan if value is None else value for value in answer[name]] for name in COLUMNS)
    for place, row in enumerate(zip(*numbers, strict=True)):
        problem = answer["errors"].get(str(place))
        yield row if problem is None else error_of_problem(problem, status=problem["status"])


def rows_of_items(answers: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """The rows of answers to single items."""
    for answer in answers:
        if (problem := answer.get("error")) is not None:
            yield error_of_problem(problem, status=problem["status"])
            continue
        low, high = answer["interval_ms"] or (math.nan, math.nan)
        yield answer["latency_ms"], low, high, answer["source"] == "measured", answer["coverage"]


def facts_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What answers have in common about who gave them; what they differ in is None. Measured ones say nothing of it."""
    predicted = [answer for answer in answers if answer.get("predictor") is not None]
    common = {name: {answer[name] for answer in predicted} for name in FACTS}
    return {name: values.pop() if len(values) == 1 else None for name, values in common.items()}
