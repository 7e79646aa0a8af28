"""`latcast quality`: errors of networks outside the support set, the worst first."""

import io
import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from service.cli.forecast.quality import print_over_time, print_quality
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

PAIRS: list[dict[str, Any]] = [
    {"graph": "g1-a", "measured_ms": 10.0, "predicted_ms": 10.5, "support": False, "space": None, "text": None},
    {"graph": "g1-b", "measured_ms": 0.01, "predicted_ms": 0.007, "support": False, "space": "toy", "text": "t[x]"},
    {"graph": "g1-c", "measured_ms": 1.0, "predicted_ms": 9.0, "support": True, "space": None, "text": None},
]


def printed(pairs: list[dict[str, Any]], most: int = 20) -> str:
    out = Console(file=io.StringIO(), width=200, color_system=None, highlight=False)
    print_quality(pairs, most=most, out=out)
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_errors_are_of_networks_outside_the_support() -> None:
    text = printed(PAIRS)
    assert "2 networks that it was not adapted to: median error 17.5%, 50% within 10%; 1 in the support set." in text
    rows = [line.split() for line in text.splitlines() if "g1-" in line or "toy/" in line]
    assert rows[0] == ["g1-c", "1.000", "9.000", "+800.0%", "yes"]
    assert rows[1] == ["toy/t[x]", "10", "µs", "7", "µs", "-30.0%"]


def test_the_precision_of_files_is_named_where_one_is_not_fp32() -> None:
    mixed = [{**PAIRS[0], "file_precision": "fp32"}, {**PAIRS[2], "file_precision": "int8"}]
    rows = [line.split() for line in printed(mixed).splitlines() if "g1-" in line]
    assert rows[0] == ["g1-c", "1.000", "9.000", "+800.0%", "int8", "yes"]
    assert rows[1] == ["g1-a", "10.000", "10.500", "+5.0%", "fp32"]
    assert "file" not in printed([mixed[0]])


def test_the_worst_are_listed_and_the_rest_counted() -> None:
    text = printed(PAIRS, most=1)
    assert "1 of 3 networks" in text
    assert "g1-a" not in text


def test_where_nothing_can_be_judged_it_is_said() -> None:
    assert "Nothing was measured there yet" in printed([])
    assert "measure others to judge" in printed(PAIRS[2:])


NOTHING: dict[str, Any] = {"scored": 0, "flags": [], "periods": []}
RECORD: dict[str, Any] = {
    "level": 0.9, "scored": 60, "judged": 50, "coverage": 0.6, "band": [0.78, 1.0], "in_band": False,
    "median_ape": 0.12, "interval_scale": 1.5,
    "host": {"baseline_ms": 0.1, "now_ms": 0.13, "drift": 1.3, "moved": True},
    "flags": ["They are too narrow.", "The host is 30% slower."],
    "periods": [
        {"since_unix_s": 1.0, "until_unix_s": 2.0, "scored": 30, "coverage": None, "median_ape": 0.05, "bias": 0.0,
         "host_drift": None},
        {"since_unix_s": 3.0, "until_unix_s": 4.0, "scored": 30, "coverage": 0.5, "median_ape": 0.3, "bias": 0.2,
         "host_drift": 1.3},
    ],
}  # fmt: skip


def over_time(record: dict[str, Any], *, width: int = 80) -> str:
    out = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    print_over_time(record, out=out)
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_what_became_of_forecasts_is_told_over_time() -> None:
    text = over_time(RECORD)
    assert text.startswith("They are too narrow.\nThe host is 30% slower.\n")
    said = " ".join(text.split())
    assert "The last 50 of 60 forecasts that were measured later: 60% of their 90% intervals held" in said
    assert "(chance: 78% to 100%), widths × 1.50; median error 12.0%; the host takes 130% of the time" in said
    rows = [line.split() for line in text.splitlines() if " 30 " in line]
    assert rows[0][-3:] == ["30", "5.0%", "+0.0%"]
    assert rows[1][-6:] == ["30", "50%", "30.0%", "+22.1%", "×", "1.30"]
    assert "No forecast was measured later yet" in over_time(NOTHING)


def test_pairs_and_what_became_of_forecasts_are_written_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"target": LISTED["id"], "pairs": PAIRS, "over_time": NOTHING}
    fake = FakeClient(quality_over_time=[found])
    monkeypatch.setattr("service.cli.forecast.quality.open_client", lambda *_: fake)
    done = CliRunner().invoke(app, ["quality", "--json", "-"])
    assert json.loads(done.stdout) == found


def test_where_nothing_was_measured_that_is_all_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeClient(quality_over_time=[{"target": LISTED["id"], "pairs": [], "over_time": NOTHING}])
    monkeypatch.setattr("service.cli.forecast.quality.open_client", lambda *_: fake)
    shown = CliRunner().invoke(app, ["quality"], catch_exceptions=False).stdout
    assert shown.splitlines()[1:] == ["Nothing was measured there yet: `latcast measure` and `latcast adapt` do."]
