"""Forecasts as JSON, written at once: checking them against `schemas` would take as long as all the rest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from pydantic_core import to_json

from latcast.schema import LatcastError
from service.api.problems import problem_of
from service.forecasting.columns import Answers

__all__ = ["columns_json", "form_of", "item_lines", "items_json", "refused_json", "several_json"]


def form_of(count: int, *, columns: bool) -> str:
    """What a call that asks for so many networks is called: `single`, `list` or `columns`."""
    return "columns" if columns else "single" if count == 1 else "list"


def columns_json(target: str, level: float, answers: Answers, facts: Mapping[str, Sequence[int | None]]) -> bytes:
    """`schemas.PredictColumnsOut` of answers; `facts` are further columns."""
    responder = answers.responder
    plain: dict[str, Any] = {
        "target": target,
        "level": level,
        "latency_ms": answers.latency_ms.tolist(),
        "low_ms": answers.low_ms.tolist(),
        "high_ms": answers.high_ms.tolist(),
        "measured": answers.measured.tolist(),
        "coverage": answers.coverage.tolist(),
        "predictor": responder.predictor if responder else None,
        "kind": responder.kind if responder else None,
        "adapted": responder.adapted if responder else None,
        "measurements": responder.measurements if responder else None,
        "warning": responder.warning if responder else None,
        "descriptor": responder.descriptor if responder else None,
        "origin": answers.origin,
        "errors": {str(index): problem_of(error) for index, error in answers.errors.items()},
    }
    return to_json({**plain, **facts}, inf_nan_mode="null")


def several_json(level: float, answers: Iterable[bytes]) -> bytes:
    """`schemas.PredictSeveralOut` of what each target is answered."""
    return to_json({"level": level})[:-1] + b',"answers":[' + b",".join(answers) + b"]}"


def refused_json(target: str, error: LatcastError) -> bytes:
    """`schemas.TargetError` of a target among several that cannot be asked."""
    return to_json({"target": target, "error": problem_of(error)})


def items_json(target: str, level: float, lines: Iterable[str]) -> bytes:
    """`schemas.PredictOut` of answers that `item_lines` has written."""
    head = to_json({"target": target, "level": level})[:-1]
    return head + f',"items":[{",".join(lines)}]}}'.encode()


def item_lines(answers: Answers) -> Iterator[str]:
    """`schemas.ForecastOut`, or `schemas.ItemError`, of each answer."""
    predicted = _end_of_predicted(answers)
    measured = {name: _end_of_measured(name, answers.origin) for name in set(answers.statistics.values())}
    rows = zip(
        answers.latency_ms.tolist(), answers.low_ms.tolist(), answers.high_ms.tolist(),
        answers.measured.tolist(), answers.coverage.tolist(), strict=True,
    )  # fmt: skip
    for index, (latency, low, high, was_measured, coverage) in enumerate(rows):
        if index in answers.errors:
            yield to_json({"error": problem_of(answers.errors[index])}).decode()
            continue
        interval = "null" if not (isfinite(low) and isfinite(high)) else f"[{low!r},{high!r}]"
        end = measured[answers.statistics[index]] if was_measured else predicted
        source = "measured" if was_measured else "predicted"
        yield f'{{"latency_ms":{latency!r},"interval_ms":{interval},"source":"{source}","coverage":{coverage!r},{end}'


def _end_of_predicted(answers: Answers) -> str:
    """What is the same for all that one predictor answered."""
    responder = answers.responder
    if responder is None:
        return ""
    members = {
        "adapted": responder.adapted, "predictor": responder.predictor, "kind": responder.kind,
        "measurements": responder.measurements, "statistic": None, "origin": answers.origin, "unknown_operators": [],
        "remarks": [], "warning": responder.warning, "descriptor": responder.descriptor,
    }  # fmt: skip
    return to_json(members).decode()[1:]


def _end_of_measured(statistic: str, origin: str) -> str:
    members: dict[str, Any] = {
        "adapted": True, "predictor": None, "kind": None, "measurements": 1, "statistic": statistic, "origin": origin,
        "unknown_operators": [], "remarks": [], "warning": None, "descriptor": None,
    }  # fmt: skip
    return to_json(members).decode()[1:]
