"""Columns as Arrow tables: one for all targets, with what is said once in the schema."""

import json

import numpy as np
import pyarrow as pa

from latcast.schema import InputError
from service.api.forecast_arrow import arrow_stream, wants_arrow
from service.forecasting.columns import Answers, Responder


def answers(first_ms: float) -> Answers:
    return Answers(
        latency_ms=np.array([first_ms, np.nan]),
        low_ms=np.array([np.nan, np.nan]),
        high_ms=np.array([np.nan, np.nan]),
        measured=np.array([False, False]),
        coverage=np.array([0.5, 0.0]),
        statistics={},
        errors={1: InputError("no text")},
        responder=Responder(predictor="p", kind="k", adapted=True, measurements=3, descriptor="microbench"),
        origin="",
    )


def test_targets_stand_below_each_other() -> None:
    facts = {"macs": [5, None]}
    table = pa.ipc.open_stream(arrow_stream([("a", answers(1.5), facts), ("b", answers(2.5), facts)], 0.8)).read_all()
    assert table["target"].to_pylist() == ["a", "a", "b", "b"]
    assert table["latency_ms"].to_pylist() == [1.5, None, 2.5, None]
    assert table["low_ms"].null_count == 4
    assert table["macs"].to_pylist() == [5, None] * 2
    assert [bool(each) for each in table["error"].to_pylist()] == [False, True] * 2
    about = json.loads(table.schema.metadata[b"latcast"])
    assert (about["level"], [each["target"] for each in about["answers"]]) == (0.8, ["a", "b"])
    assert about["answers"][0]["measurements"] == 3
    assert about["answers"][0]["descriptor"] == "microbench"


def test_arrow_is_sent_only_to_those_who_name_it() -> None:
    assert wants_arrow("application/json, Application/VND.apache.arrow.stream;q=0.9")
    assert not wants_arrow("*/*")
    assert not wants_arrow(None)
