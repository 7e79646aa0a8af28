"""What benchmarking tools print or write, as a measurement of one model on a named device.

Read are the outputs of `onnxruntime_perf_test` (ONNX Runtime), `trtexec` (TensorRT; its log, or the JSON of
`--exportTimes`), `benchmark_model` (TensorFlow Lite) and `benchmark_app` (OpenVINO; its log, or the report of
`-report_type`). Of several statistics the median is taken where the tool gives it, the mean otherwise.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Graph, InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.data.importers.records import BACKEND, Imported, ImportReport

__all__ = ["TOOLS", "ToolReport", "import_tool_report", "read_tool_report"]

_LARGEST = 64 * 2**20
_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"


@dataclass(frozen=True, slots=True)
class ToolReport:
    """A latency that a tool reports.

    Args:
        tool: name of the tool, one of `TOOLS`.
        latency_ms: latency of one inference in ms.
        statistic: `median` or `mean`.
    """

    tool: str
    latency_ms: float
    statistic: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A line of a log that states a latency, in units of `ms` milliseconds."""

    expression: str
    ms: float
    statistic: str


_LOGS: Mapping[str, Sequence[_Pattern]] = {
    "onnxruntime_perf_test": (
        _Pattern(rf"P50 Latency:\s*{_NUMBER}\s*s", 1e3, "median"),
        _Pattern(rf"Average inference time cost(?: total)?:\s*{_NUMBER}\s*ms", 1.0, "mean"),
    ),
    "trtexec": (
        _Pattern(rf"\]\s*Latency: min = .*?median = {_NUMBER} ms", 1.0, "median"),
        _Pattern(rf"\]\s*Latency: min = .*?mean = {_NUMBER} ms", 1.0, "mean"),
    ),
    "benchmark_model": (
        _Pattern(rf"count=[0-9]+ first=.*?\bmedian={_NUMBER}", 1e-3, "median"),
        _Pattern(rf"Inference timings in us:.*?Inference \(avg\):\s*{_NUMBER}", 1e-3, "mean"),
    ),
    "benchmark_app": (
        _Pattern(rf"Median:?\s+{_NUMBER}\s*ms", 1.0, "median"),
        _Pattern(rf"(?i:(?:median )?latency \(ms\)):?[;,]{_NUMBER}", 1.0, "median"),
        _Pattern(rf"Average:?\s+{_NUMBER}\s*ms", 1.0, "mean"),
    ),
}
"""Lines of each tool, the preferred first; of several the last counts, which is the run after the warm-up."""

TOOLS = tuple(_LOGS)
"""Names of the tools whose output is read."""


def read_tool_report(path: Path) -> ToolReport:
    """The latency that a tool's output states.

    Raises:
        InputError: the file cannot be read, or is no output of one of `TOOLS`.
    """
    text = _text(path)
    report = _of_json(text) or _of_log(text)
    if report is None:
        raise InputError(f"{path.name} is no output of {', '.join(TOOLS)} that states a latency.")
    if not (np.isfinite(report.latency_ms) and report.latency_ms > 0):
        raise InputError(f"{path.name} states a latency of {report.latency_ms:g} ms.")
    return report


def import_tool_report(
    path: Path,
    *,
    device: str,
    model: bytes,
    prepare: Callable[[bytes], tuple[Graph, bytes]],
    options: Mapping[str, str] | None = None,
) -> Imported:
    """One measurement of a model on a device that latcast does not reach.

    Args:
        path: output of a tool, see the module.
        device: name of the device.
        model: the ONNX model that was measured, or the ONNX model that the measured file was made from.
        prepare: function that reads a model: (graph, model without its weights).
        options: further options of the target, such as its precision or number of threads.

    Raises:
        InputError: the output or the model cannot be read, or the device has no name.
    """
    if not (device.strip() and device.isprintable() and len(device) <= 200):
        raise InputError("The device needs a name of at most 200 characters that can be printed: --device 'Pixel 8'.")
    report = read_tool_report(path)
    graph, stripped = prepare(model)
    target = Target(
        device=device, backend=BACKEND, options={"tool": report.tool, **(options or {})}, origin=f"{report.tool} output"
    )
    data = LatencyDataset(queries=[Query(target=target, graph=graph)], latency_ms=np.array([report.latency_ms]))
    summary = ImportReport(source=f"{path.name} ({report.tool}, {report.statistic})", rows=1, targets=(target,))
    return Imported(dataset=data, report=summary, models={graph.hash: stripped}, statistic=report.statistic)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise InputError(f"{path.name} takes more than {_LARGEST // 2**20} MiB: give the tool's final lines alone.")
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")


def _of_log(text: str) -> ToolReport | None:
    """The latency of a log, by the first pattern of a tool that a line of it matches."""
    lines = text.splitlines()
    for tool, patterns in _LOGS.items():
        for pattern in patterns:
            found = [match for line in lines if (match := re.search(pattern.expression, line[:2000]))]
            if found and _is_of(tool, text):
                return ToolReport(tool, float(found[-1][1]) * pattern.ms, pattern.statistic)
    return None


_SIGNS: Mapping[str, tuple[str, ...]] = {
    "onnxruntime_perf_test": ("inference time cost",),
    "trtexec": ("trtexec", "TensorRT", "GPU Compute Time"),
    "benchmark_model": ("Inference timings in us",),
    "benchmark_app": ("OpenVINO", "Throughput", "benchmark_app", "Execution results"),
}
"""Words of which one is in a tool's output; other programs print lines with a median, too."""


def _is_of(tool: str, text: str) -> bool:
    return any(sign.lower() in text.lower() for sign in _SIGNS[tool])


def _of_json(text: str) -> ToolReport | None:
    """The latency of trtexec's exported times or of OpenVINO's JSON report."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return None
    try:
        content = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None  # a log may begin with a bracket, too
    if isinstance(content, list):
        times = [ms for entry in content if (ms := _trace_ms(entry)) is not None]
        return ToolReport("trtexec", float(np.median(times)), "median") if times else None
    results = content.get("execution_results") if isinstance(content, dict) else None
    median = results.get("latency_median") if isinstance(results, dict) else None
    try:
        return None if median is None else ToolReport("benchmark_app", float(median), "median")
    except (TypeError, ValueError):
        return None


def _trace_ms(entry: Any) -> float | None:
    """The latency of an inference from the start of its input's transfer to the end of its output's."""
    value = entry.get("latencyMs") if isinstance(entry, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
