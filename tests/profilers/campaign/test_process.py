"""The measuring process: one graph after the other, whatever one of them does to it."""

from pathlib import Path

import pytest

from latcast.schema import Architecture, LatcastError, ProfileSettings
from profilers.campaign.process import MeasuringProcess
from profilers.host.device import describe_device

GEMM = Architecture(space="kernels", text="gemm")
UNARY = Architecture(space="kernels", text="unary")


def settings(**options: str) -> ProfileSettings:
    return ProfileSettings(
        backend="fake", processes=1, max_samples=3, min_samples=3, max_seconds=0.01, warmup_seconds=0.01, timeout_s=20,
        options={"latency_us": "10", **options}, sentinel=False, memory_limit_bytes=2**29,
    )  # fmt: skip


def test_graphs_are_measured_in_one_process() -> None:
    with MeasuringProcess(describe_device(), settings()) as process:
        first, second = process.measure(GEMM), process.measure(UNARY)
        assert process.sentinel_ms() > 0
    for measured in (first, second):
        assert measured.failure is None
        assert measured.summary is not None
        assert measured.kernels
        assert measured.feeds
        assert measured.before is not None
    assert first.graph != second.graph
    assert first.target.backend == "fake"


@pytest.mark.parametrize(
    ("fault", "stage"), [("crash", "crash"), ("exit", "crash"), ("error", "run"), ("memory", "memory")]
)
def test_what_goes_wrong_is_a_record_of_that_graph(fault: str, stage: str) -> None:
    with MeasuringProcess(describe_device(), settings(fault=fault)) as process:
        measured, next_one = process.measure(GEMM), process.measure(UNARY)
    for failed in (measured, next_one):
        assert failed.failure is not None
        assert failed.failure.stage == stage
        assert failed.graph


def test_a_graph_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilers.campaign.process.FIRST_ANSWER_S", 5.0)
    hanging = ProfileSettings(backend="fake", processes=1, timeout_s=0.5, options={"fault": "hang"}, sentinel=False)
    with MeasuringProcess(describe_device(), hanging) as process:
        failed = process.measure(GEMM)
    assert failed.failure is not None
    assert failed.failure.stage == "timeout"


def test_a_text_that_cannot_be_built_fails_alone() -> None:
    with MeasuringProcess(describe_device(), settings()) as process:
        failed = process.measure(Architecture(space="kernels", text="gemm/rows=many"))
        assert process.measure(GEMM).failure is None
    assert failed.failure is not None
    assert failed.failure.stage == "load"


def test_a_target_that_cannot_run_the_sentinel_says_why() -> None:
    with (
        MeasuringProcess(describe_device(), settings(fault="error")) as process,
        pytest.raises(LatcastError, match="sentinel"),
    ):
        process.sentinel_ms()


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with MeasuringProcess(describe_device(), settings()) as process:
        process.measure(GEMM)
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
