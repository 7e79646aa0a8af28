"""Forecasts in columns as Apache Arrow, for callers who read them into tables without parsing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from service.api.problems import problem_of
from service.forecasting.columns import Answers

__all__ = ["ARROW", "arrow_stream", "wants_arrow"]

ARROW = "application/vnd.apache.arrow.stream"
ABOUT = b"latcast"


def wants_arrow(accept: str | None) -> bool:
    """Whether a header Accept names Arrow's stream format."""
    return accept is not None and ARROW in accept.lower()


def arrow_stream(parts: Sequence[tuple[str, Answers, Mapping[str, Sequence[int | None]]]], level: float) -> bytes:
    """One table of the answers of one or several targets, in Arrow's IPC stream format.

    Its columns are those of `schemas.PredictColumnsOut`, with `target` first and `error` (JSON of a problem) last; what
    that says once stands as JSON in the schema's metadata under `latcast`, in `answers`, one for each target.

    Args:
        parts: (target, its answers, further columns).
        level: of the intervals.
    """
    import pyarrow as pa

    tables = [_table(target, answers, facts) for target, answers, facts in parts]
    about = {"level": level, "answers": [_about(target, answers) for target, answers, _ in parts]}
    table = pa.concat_tables(tables).unify_dictionaries().replace_schema_metadata({ABOUT: json.dumps(about)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _table(target: str, answers: Answers, facts: Mapping[str, Sequence[int | None]]) -> Any:
    import numpy as np
    import pyarrow as pa

    count = len(answers.latency_ms)
    errors = [None] * count
    for index, error in answers.errors.items():
        errors[index] = json.dumps(problem_of(error))  # type: ignore[call-overload]  # a list of None so far
    columns = {
        "target": pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([target])),
        "latency_ms": pa.array(answers.latency_ms, from_pandas=True),
        "low_ms": pa.array(answers.low_ms, from_pandas=True),
        "high_ms": pa.array(answers.high_ms, from_pandas=True),
        "measured": pa.array(answers.measured),
        "coverage": pa.array(answers.coverage),
        **{name: pa.array(values, pa.int64()) for name, values in facts.items()},
        "error": pa.array(errors, pa.string()),
    }
    return pa.table(columns)


def _about(target: str, answers: Answers) -> dict[str, Any]:
    responder = answers.responder
    return {
        "target": target,
        "predictor": responder.predictor if responder else None,
        "kind": responder.kind if responder else None,
        "adapted": responder.adapted if responder else None,
        "measurements": responder.measurements if responder else None,
        "warning": responder.warning if responder else None,
        "descriptor": responder.descriptor if responder else None,
        "origin": answers.origin,
    }
