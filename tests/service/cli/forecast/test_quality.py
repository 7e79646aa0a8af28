"""`latcast quality`: errors of networks outside the support set, the worst first."""

import io
import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from service.cli.forecast.quality import print_quality
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


def test_the_worst_are_listed_and_the_rest_counted() -> None:
    text = printed(PAIRS, most=1)
    assert "1 of 3 networks" in text
    assert "g1-a" not in text


def test_where_nothing_can_be_judged_it_is_said() -> None:
    assert "Nothing was measured there yet" in printed([])
    assert "measure others to judge" in printed(PAIRS[2:])


def test_pairs_are_written_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.forecast.quality.open_client", lambda *_: FakeClient(quality=[PAIRS]))
    done = CliRunner().invoke(app, ["quality", "--json", "-"])
    assert json.loads(done.stdout) == {"target": LISTED["id"], "pairs": PAIRS}
