"""`latcast friendliness`: what options cost out of whole latencies, and the reduced space that it writes."""

import importlib
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from profilers.search_spaces import get_space
from profilers.search_spaces.reduced import ReducedSpace
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

module = importlib.import_module("service.cli.forecast.friendliness")

RNG = np.random.default_rng(0)
CELLS = [get_space("nasbench201").sample(RNG).text for _ in range(120)]


def ms(text: str) -> float:
    return 2.0 + 3 * text.count("conv_3x3") + text.count("conv_1x1")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, cells: list[str] = CELLS) -> Result:
    rows = [{"text": text, "median_ms": ms(text)} for text in cells]
    client = FakeClient(targets=[[{**LISTED, "options": {}}]], measurements=[rows])
    monkeypatch.setattr("service.cli.forecast.friendliness.open_client", lambda *_: client)
    return CliRunner().invoke(app, ["friendliness", "--space", "nasbench201", *arguments])


def test_costs_have_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = json.loads(run(monkeypatch, "--json", "-").stdout)
    assert shown["explained_variance"] == pytest.approx(1.0)
    option = shown["positions"][0]["options"]["nor_conv_3x3"]
    assert option["low_ms"] <= option["ms"] <= option["high_ms"]
    assert option["ms"] == pytest.approx(3.0)
    people = run(monkeypatch).stdout
    assert "edge 0-1" in people
    assert "120 networks" in people.replace("\n", " ") or "networks" in people


def test_a_reduced_space_is_a_search_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    assert run(monkeypatch, "--keep", "3", "--reduced", str(path)).exit_code == 0

    class Small(ReducedSpace):
        name: ClassVar[str] = "small"
        file: ClassVar[str] = str(path)

    options = Small().positions()[0].options
    assert len(options) == 3
    assert "nor_conv_3x3" not in options


def test_without_measurements_or_with_half_of_the_options_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Nothing of nasbench201 was measured" in str(run(monkeypatch, cells=[]).exception)
    assert "takes" in str(run(monkeypatch, cells=CELLS[:5]).exception)
    assert "go together" in run(monkeypatch, "--keep", "3").output


@pytest.mark.parametrize(
    ("latency_ms", "shown", "interval"),
    [(12345.678, "12345.7 ms", "-12345.7 – 24691.4"), (0.0123, "12.3 µs", "-12.3 – 24.6 µs")],
    ids=["large", "small"],
)
def test_costs_of_any_size_are_readable(
    capsys: pytest.CaptureFixture[str], latency_ms: float, shown: str, interval: str
) -> None:
    option = {"ms": latency_ms, "low_ms": -latency_ms, "high_ms": 2 * latency_ms}
    document = {"networks": 1, "overhead_ms": latency_ms, "explained_variance": 0.98, "level": 0.95,
                "positions": [{"position": "edge", "options": {"conv": option}}]}  # fmt: skip
    module._show(document, LISTED)
    printed = capsys.readouterr().out
    assert f"the cheapest options take {shown};" in printed
    assert "e+" not in printed
    assert interval in printed
