"""Forecasts of one part of a long list, as made in an executor's processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from latcast.schema import Architecture, LatcastError, Target, from_plain
from predictors.artifact import Artifact
from predictors.base import FloatArray, Predictor, Query
from predictors.registry import load_predictor
from profilers.search_spaces import get_space

__all__ = ["Columns", "Part", "Scored", "Sources", "score_part"]

Known = Mapping[str, tuple[float, float, float]]
"""Latency in ms and the ends of its interval by text; NaN where nobody claims one."""
Name = tuple[str, str]
"""A target's label and a search space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who answers.

    Args:
        level: probability that an interval holds.
        labels: names of the targets, whose columns are wanted.
        artifacts: predictors adapted to a target, by label and space; their `meta` names the target.
        measured: what was measured on a target, the same way, by the text in normal form.
    """

    level: float
    labels: tuple[str, ...]
    artifacts: Mapping[Name, bytes]
    measured: Mapping[Name, Known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the list: n texts and the spaces that they are of."""

    number: int
    texts: Sequence[str]
    spaces: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Answers of one target to n rows.

    Args:
        times_ms: float64 (n, 3), median latency and the ends of its interval; NaN where there is none.
        measured: bool for each row.
    """

    times_ms: FloatArray
    measured: list[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Answers to a part: columns by the target's label, and what is wrong with a row, None for most."""

    number: int
    columns: Mapping[str, Columns]
    errors: list[str | None]


def score_part(sources: Sources, part: Part) -> Scored:
    """Forecasts of a part's architectures on all targets; what is wrong with one is said in its row alone."""
    errors: list[str | None] = [None] * len(part.texts)
    rows: dict[str, dict[str, list[int]]] = {}
    for row, (space, text) in enumerate(zip(part.spaces, part.texts, strict=True)):
        try:
            found = get_space(space)
            rows.setdefault(found.name, {}).setdefault(found.parse(text).text, []).append(row)
        except LatcastError as error:
            errors[row] = str(error)
    columns = {
        label: Columns(times_ms=np.full((len(part.texts), 3), np.nan), measured=[False] * len(part.texts))
        for label in sources.labels
    }
    for space, places in rows.items():
        for label, column in columns.items():
            _fill(sources, (label, space), places, column, errors)
    return Scored(number=part.number, columns=columns, errors=errors)


def _fill(
    sources: Sources, name: Name, places: Mapping[str, list[int]], column: Columns, errors: list[str | None]
) -> None:
    """Write the answers of one target to one space's texts into the rows that have them."""
    known = sources.measured.get(name, {})
    asked = [text for text in places if text not in known]
    forecasts = _forecasts(sources, name, asked) if asked else {}
    for text, rows in places.items():
        answer = known[text] if text in known else forecasts[text]
        for row in rows:
            if isinstance(answer, str):
                errors[row] = answer
            else:
                column.times_ms[row], column.measured[row] = answer, text in known


def _forecasts(sources: Sources, name: Name, texts: Sequence[str]) -> dict[str, tuple[float, float, float] | str]:
    """The forecast of each text, or why there is none."""
    predictor, target = _loaded(sources.artifacts[name])
    queries = [Query(target=target, architecture=Architecture(space=name[1], text=text)) for text in texts]
    try:
        prediction = predictor.predict(queries)
    except LatcastError as error:
        if len(texts) == 1:
            return {texts[0]: str(error)}
        middle = len(texts) // 2
        return _forecasts(sources, name, texts[:middle]) | _forecasts(sources, name, texts[middle:])
    ends = prediction.claimed_intervals_ms(sources.level)
    answers = [
        (float(median), *(interval or (np.nan, np.nan)))
        for median, interval in zip(prediction.median_ms, ends, strict=True)
    ]
    return {
        text: answer if np.isfinite(answer[0]) and answer[0] > 0 else "Its forecast would be no positive number of ms."
        for text, answer in zip(texts, answers, strict=True)
    }


@lru_cache(64)
def _loaded(artifact: bytes) -> tuple[Predictor, Target]:
    """The predictor and its target, read once in a process."""
    read = Artifact.from_bytes(artifact)
    return load_predictor(read), from_plain(Target, read.meta["target"])
