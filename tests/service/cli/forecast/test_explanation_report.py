"""Explanations are printed from the document alone, whoever made it."""

import io
from typing import Any

from rich.console import Console

from service.cli.forecast.explanation_report import print_explanation

KERNEL = {
    "operator": "Conv", "kind": "conv_depthwise", "nodes": ["first", "/features/[0]/Conv"], "latency_ms": 2.0,
    "share": 0.8, "repeats": 1, "flops": 1e6, "moved_bytes": 1e5, "intensity": 10.0, "gflops": 50.0, "bound": "compute",
    "efficiency": 0.5, "known": True, "measured_ms": None,
}  # fmt: skip
SMALL = {**KERNEL, "operator": "LSTM", "latency_ms": 0.5, "share": 0.2, "bound": "launch", "known": False, "repeats": 3}
DOCUMENT: dict[str, Any] = {
    "model": "m[0].onnx", "target": {"id": "t", "device": "Cortex", "label": "onnxruntime 1"}, "level": 0.8,
    "latency_ms": 2.5, "interval_ms": [2.0, 3.0], "source": "predicted", "coverage": 0.9, "adapted": True,
    "predictor": "adaptation:a", "kind": "universal", "measurements": 10, "statistic": None, "origin": "",
    "unknown_operators": ["LSTM"], "kernels_ms": 2.5, "kernels": [SMALL, KERNEL], "no_kernels": "",
    "peaks": {"gflops": 100.0, "gbytes": 20.0, "launch_ms": 0.002, "ridge": 5.0},
    "nearest": [{"name": "zoo/mobile/x", "measured_ms": 2.4, "distance": 0.25}],
    "measure_next": [{"space": "zoo", "text": "boxes/y", "forecast_ms": 1.0, "variance_removed": 0.31}],
    "measure_with": ["latcast measure --target t --space zoo boxes/y"],
}  # fmt: skip


def printed(most: int = 15, **changes: Any) -> str:
    out = Console(file=io.StringIO(), width=200, color_system=None, highlight=False)
    print_explanation({**DOCUMENT, **changes}, kernels=most, out=out)
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_it_says_what_the_forecast_rests_on() -> None:
    lines = printed().splitlines()
    assert lines[0] == "m[0].onnx on Cortex, onnxruntime 1"
    assert lines[1].startswith(
        "forecast 2.500 ms, 80 % interval 2.000 ms – 3.000 ms; by universal, adapted to 10 networks; 90% of it"
    )
    assert lines[2] == "never seen in training: LSTM"
    assert lines[3] == "80% bound by compute, 20% bound by launch"
    assert "ridge at 5.0 FLOPs/byte" in lines[4]
    assert "not adapted" in printed(adapted=False)


def test_kernels_are_listed_by_time_with_their_last_node() -> None:
    rows = [line.split() for line in printed().splitlines() if line.startswith(("Conv", "LSTM"))]
    assert rows[0] == ["Conv", "conv_depthwise", "/features/[0]/Conv", "80.0%", "2.000", "10", "50", "compute", "50%"]
    assert rows[1][:5] == ["LSTM", "×3", "conv_depthwise", "?", "/features/[0]/Conv"]


def test_kernels_that_are_not_listed_are_summed() -> None:
    text = printed(most=1)
    assert "kernels: 1 of 2" in text
    (rest,) = [line.split() for line in text.splitlines() if "1 other " in line]
    assert rest == ["1", "other", "20.0%", "0.500"]


def test_a_measured_network_shows_what_was_measured_of_each_kernel() -> None:
    kernels = [{**KERNEL, "measured_ms": 1.9}, SMALL]
    text = printed(source="measured", statistic="median", kernels=kernels)
    assert "measured 2.500 ms, 80 % interval 2.000 ms – 3.000 ms; median of what was measured" in text
    assert "would be forecast to take 2.500 ms" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("Conv", "LSTM"))}
    assert "1.900" in rows["Conv"]
    assert "–" in rows["LSTM"]


def test_neighbours_and_proposals_follow() -> None:
    text = printed()
    assert "zoo/mobile/x" in text
    assert "75%" in text
    assert "zoo/boxes/y" in text
    assert "31%" in text
    assert "  latcast measure --target t --space zoo boxes/y" in text.splitlines()
    assert "treat the forecast with care" not in text
    far = [{"name": "n", "measured_ms": 1.0, "distance": 0.6}]
    assert "treat the forecast with care" in printed(nearest=far)


def test_without_kernels_the_reason_stands_in_their_place() -> None:
    text = printed(kernels=[], no_kernels="It reads [texts].", peaks=None, kernels_ms=None, nearest=[], measure_next=[])
    assert "It reads [texts]." in text
    assert "roofline" not in text
    assert "to make this forecast surer" not in text
