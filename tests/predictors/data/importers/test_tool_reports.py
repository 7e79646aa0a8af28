"""Outputs of benchmarking tools, written as those tools write them, are measurements of a named device."""

import json
from pathlib import Path

import pytest

from latcast.schema import Graph, InputError
from predictors.data.importers.tool_reports import ToolReport, import_tool_report, read_tool_report
from profilers.onnx_graph import load_graph, strip_weights
from tests.service.helpers import model

ORT = """Setting intra_op_num_threads to 4
Session creation time cost: 0.024109 s
First inference time cost: 7 ms
Total inference time cost: 0.512 s
Total inference requests: 100
Average inference time cost: 5.12 ms
Min Latency: 0.00489 s
Max Latency: 0.0061 s
P50 Latency: 0.00503 s
P90 Latency: 0.0055 s
"""
TRTEXEC = """&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=net.onnx
[11/20/2026-10:00:00] [I] Throughput: 412.3 qps
[11/20/2026-10:00:00] [I] Latency: min = 2.31 ms, max = 3.02 ms, mean = 2.42 ms, median = 2.405 ms
[11/20/2026-10:00:00] [I] GPU Compute Time: min = 2.2 ms, max = 2.9 ms, mean = 2.3 ms, median = 2.29 ms
"""
TFLITE = """INFO: Initialized session in 52.687ms.
INFO: count=35 first=19105 curr=13909 min=13585 max=19105 avg=14452.5 std=1240
INFO: count=70 first=14941 curr=14066 min=13728 max=16145 avg=14290.9 std=452 p5=13800 median=14200 p95=15000
INFO: Inference timings in us: Init: 52687, First inference: 19105, Warmup (avg): 14452.5, Inference (avg): 14290.9
"""
OPENVINO = """[Step 11/11] Dumping statistics report
[ INFO ] Execution Devices:['CPU']
[ INFO ] Count:            2980 iterations
[ INFO ] Latency:
[ INFO ]    Median:        20.05 ms
[ INFO ]    Average:       20.07 ms
[ INFO ]    Min:           19.80 ms
[ INFO ] Throughput:   49.66 FPS
"""
OPENVINO_CSV = """Command line parameters
model;net.xml
Execution results
read model time (ms);3.2
latency (ms);20.05
throughput;49.66
"""


def of(folder: Path, text: str, name: str = "out.txt", encoding: str = "utf-8") -> ToolReport:
    (folder / name).write_text(text, encoding=encoding)
    return read_tool_report(folder / name)


def test_the_outputs_of_each_tool(tmp_path: Path) -> None:
    assert of(tmp_path, ORT) == ToolReport("onnxruntime_perf_test", pytest.approx(5.03), "median")
    assert of(tmp_path, ORT.replace("P50", "P51")) == ToolReport("onnxruntime_perf_test", 5.12, "mean")
    assert of(tmp_path, TRTEXEC) == ToolReport("trtexec", 2.405, "median")
    assert of(tmp_path, TFLITE) == ToolReport("benchmark_model", pytest.approx(14.2), "median")
    older = TFLITE.replace(" p5=13800 median=14200 p95=15000", "")
    assert of(tmp_path, older) == ToolReport("benchmark_model", pytest.approx(14.2909), "mean")
    assert of(tmp_path, OPENVINO) == ToolReport("benchmark_app", 20.05, "median")
    assert of(tmp_path, OPENVINO_CSV) == ToolReport("benchmark_app", 20.05, "median")
    assert of(tmp_path, OPENVINO, encoding="utf-16") == ToolReport("benchmark_app", 20.05, "median")


def test_exported_times_and_json_reports(tmp_path: Path) -> None:
    times = [{"startComputeMs": 1.0, "computeMs": 2.0, "latencyMs": ms} for ms in (2.5, 2.75, 9.0)]
    assert of(tmp_path, json.dumps(times), "t.json") == ToolReport("trtexec", 2.75, "median")
    report = {"execution_results": {"latency_median": "3.51", "throughput": "280"}}
    assert of(tmp_path, json.dumps(report), "r.json") == ToolReport("benchmark_app", 3.51, "median")


@pytest.mark.parametrize("text", ["", "hello", "[]", "{}", "[" * 100_000, "Median: 3 ms", '[{"latencyMs": "x"}]'])
def test_other_files_are_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="is no output of onnxruntime_perf_test, trtexec"):
        of(tmp_path, text)


def test_senseless_latencies_and_absent_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="states a latency of 0 ms"):
        of(tmp_path, ORT.replace("0.00503", "0"))
    with pytest.raises(InputError, match="Cannot read"):
        read_tool_report(tmp_path / "absent")


def test_a_report_is_a_measurement_of_the_model_on_the_named_device(tmp_path: Path) -> None:
    (tmp_path / "o.txt").write_text(TRTEXEC)

    def prepare(content: bytes) -> tuple[Graph, bytes]:
        return load_graph(content), strip_weights(content)

    imported = import_tool_report(
        tmp_path / "o.txt", device="Jetson Orin", model=model(4), prepare=prepare, options={"precision": "fp16"}
    )
    (query,) = imported.dataset.queries
    assert query.graph.hash == load_graph(model(4)).hash
    assert set(imported.models) == {query.graph.hash}
    assert (query.target.device, dict(query.target.options)) == (
        "Jetson Orin",
        {"tool": "trtexec", "precision": "fp16"},
    )
    assert (imported.dataset.latency_ms.tolist(), imported.statistic) == ([2.405], "median")
    with pytest.raises(InputError, match="--device 'Pixel 8'"):
        import_tool_report(tmp_path / "o.txt", device=" ", model=b"", prepare=prepare)
