"""Answers to parts of a list become one."""

from typing import Any

from latcast.columns import joined


def part(*latencies: float | None, **facts: Any) -> dict[str, Any]:
    lists = {name: list(latencies) for name in ("latency_ms", "low_ms", "high_ms", "measured", "coverage")}
    plain = {
        "target": "t",
        "level": 0.9,
        "predictor": "p",
        "kind": "k",
        "adapted": True,
        "measurements": 3,
        "origin": "",
    }
    return plain | lists | {"errors": {}} | facts


def test_lists_follow_each_other_and_errors_keep_their_places() -> None:
    answer = joined([part(1.0, None, errors={"1": {"detail": "a"}}), part(None, 4.0, errors={"0": {"detail": "b"}})])
    assert answer["latency_ms"] == answer["low_ms"] == [1.0, None, None, 4.0]
    assert answer["errors"] == {"1": {"detail": "a"}, "2": {"detail": "b"}}
    assert (answer["target"], answer["predictor"], answer["measurements"]) == ("t", "p", 3)


def test_what_parts_differ_in_is_unknown() -> None:
    answer = joined([part(1.0), part(2.0, predictor=None, measurements=None)])
    assert (answer["predictor"], answer["kind"], answer["measurements"]) == (None, "k", None)
