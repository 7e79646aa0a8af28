"""The tables of `latcast bench onnx`: forecasts beside measurements, failures, and figures."""

import io
from typing import Any

from rich.console import Console

from service.cli.bench.onnx_report import failures_of, print_holdouts, print_result

FIGURES = {
    "median_ape": 0.051, "mape": 0.07, "within_10": 0.5, "within_20": 1.0, "spearman": 0.987, "coverage_90": 0.9,
    "repeatability": 0.004,
}  # fmt: skip
MODELS = [
    {"name": "m" * 50 + "[1]", "measured_ms": 2.0, "forecast_ms": 2.1, "interval_ms": (1.9, 2.3), "known_share": 1.0},
    {"name": "small", "measured_ms": 1.0, "forecast_ms": 0.7, "interval_ms": None, "known_share": 0.25},
]


def printed(result: dict[str, Any], *, width: int = 80) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    print_result({"models": MODELS, "failed": [], **FIGURES, **result}, out)
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_each_forecast_stands_beside_its_measurement() -> None:
    text = printed({})
    for words in ("m" * 50 + "[1]", "2.000", "2.100", "+5.0%", "1.900 – 2.300", "100%", "-30.0%", "no claim", "25%"):
        assert words in text


def test_the_precision_of_a_file_is_said_where_it_is_another() -> None:
    told = [{**MODELS[0], "precision": "int8"}, {**MODELS[1], "precision": "fp32"}]
    text = " ".join(printed({"models": told}, width=200).split())
    assert "m[1]: The file is of int8, whatever the target's name says." in text
    assert text.count("The file is of") == 1
    assert "The file is of" not in printed({})


def test_figures_are_whole_at_80_columns() -> None:
    text = printed({})
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for words in ("median APE", "5.1%", "±10 %", "Spearman", "0.987", "90 % holds", "repeated", "0.4%"):
        assert words in text


def test_figures_that_there_are_not_are_dashes() -> None:
    lines = printed({**dict.fromkeys(FIGURES), "models": []}, width=200).splitlines()
    assert lines[-1].split() == ["0", *"–" * len(FIGURES)]


def test_failures_are_sentences_with_their_stage() -> None:
    failed = [{"name": "odd[2]", "stage": "load", "message": "It is no model."}]
    assert failures_of({"failed": failed}) == [("odd[2]", "It is no model. (stage: load)")]
    assert failures_of({"failed": []}) == []


def test_a_host_that_drifted_is_told() -> None:
    assert "The host was 10% slower in the second measurements" in printed({"host_drift": 0.1}, width=200)
    assert "5% faster" in printed({"host_drift": -0.05}, width=200)
    assert "The host" not in printed({"host_drift": 0.01})


def test_each_held_out_part_has_a_row() -> None:
    out = Console(file=io.StringIO(), width=200, highlight=False)
    print_holdouts({"fake fp32": {"models": MODELS, **FIGURES}, "other": {"models": [], **FIGURES}}, out)
    header, *rows = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert header.startswith("held out")
    assert [row.split()[:3] for row in rows] == [["fake", "fp32", "2"], ["other", "0", "5.1%"]]
