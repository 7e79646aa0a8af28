"""The timing loop, with a clock that only the fake backend moves."""

import json
from collections.abc import Callable, Iterator
from itertools import chain, pairwise, repeat
from statistics import median

import pytest
from onnx import TensorProto, helper

from latcast.schema import CounterReading, FeedSpec, LatcastError, ProcessRun, ProfileSettings
from profilers.backends.base import KernelRecord
from profilers.backends.fake import FakeBackend, FakeSession
from profilers.counters.null import NullReader
from profilers.feeds import make_feeds
from profilers.timing.loop import LEAST_SAMPLES, LEAST_TIMED_SHARE, kernel_timings, profile

FEEDS = make_feeds([FeedSpec(name="x", dtype="float32", shape=(1, 4))])


def relu_chain(length: int = 3) -> bytes:
    names = ["x", *(f"t{i}" for i in range(1, length)), "y"]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "y")]
    return bytes(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:])).SerializeToString())


class Clock:
    """Time that passes only while the backend sleeps, as long as the script says."""

    def __init__(self, latencies_ms: Iterator[float]) -> None:
        self.now_ns, self.runs, self.latencies_ms = 0, 0, latencies_ms

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.runs += 1
        self.now_ns += round(next(self.latencies_ms) * 1e6)


class Region(NullReader):
    """Counts the runs between enter and exit."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.before, self.after = clock, 0, 0

    def __enter__(self) -> "Region":
        self.before = self.clock.runs
        return self

    def __exit__(self, *error: object) -> None:
        self.after = self.clock.runs

    def read(self, runs: int = 1) -> CounterReading:
        return CounterReading(values={"runs": (self.after - self.before) / runs})


def measured(latencies_ms: Iterator[float], **settings: float | bool) -> tuple[ProcessRun, Clock, Region]:
    clock = Clock(latencies_ms)
    region = Region(clock)
    run = profile(relu_chain(), FEEDS, FakeBackend(sleep=clock.sleep), ProfileSettings(backend="fake", **settings),
                  counters=region, clock=clock, producers={"t1": 0, "t2": 1, "y": 2})  # fmt: skip
    return run, clock, region


def test_a_steady_model_is_measured_for_the_least_time_and_no_longer() -> None:
    run, _, _ = measured(repeat(2.0), max_seconds=1.0)
    assert sum(run.samples_ms) == pytest.approx(LEAST_TIMED_SHARE * 1000, abs=2)
    assert set(run.samples_ms) == {2.0}


def test_a_restless_model_is_measured_up_to_the_cap_and_every_sample_is_kept() -> None:
    run, clock, _ = measured(_cycle(1.0, 2.0, 3.0), max_seconds=1.0)
    assert 1000 <= sum(run.samples_ms) < 1003
    assert len(run.samples_ms) + run.warmup_runs == clock.runs
    assert set(run.samples_ms) == {1.0, 2.0, 3.0}


def test_samples_are_capped() -> None:
    run, _, _ = measured(_cycle(1.0, 2.0, 3.0), max_seconds=100.0, max_samples=40)
    assert len(run.samples_ms) == 40


def test_at_least_min_samples_are_taken_while_there_is_time() -> None:
    run, _, _ = measured(repeat(20.0), max_seconds=1.0, min_samples=30)
    assert len(run.samples_ms) == 30


def test_a_slow_model_still_gets_a_median() -> None:
    run, _, _ = measured(repeat(5000.0), max_seconds=1.0)
    assert len(run.samples_ms) == LEAST_SAMPLES
    assert run.warmup_runs == 1


def test_short_runs_are_timed_in_blocks() -> None:
    run, clock, _ = measured(repeat(0.004), block_below_us=50.0, max_seconds=0.1)
    assert run.runs_per_sample == 13
    assert median(run.samples_ms) == pytest.approx(0.004)
    assert clock.runs == run.warmup_runs + 13 * len(run.samples_ms)


def test_warming_up_lasts_until_the_latency_is_steady() -> None:
    cooling = [20.0 * 0.8**i for i in range(20)]
    run, _, _ = measured(chain(cooling, repeat(0.2)), warmup_seconds=10.0)
    assert run.warmup_runs >= len(cooling)
    assert max(run.samples_ms) < 0.5


def test_warming_up_is_bounded_in_time() -> None:
    run, _, _ = measured(chain((10.0 + 2 * i for i in range(30)), repeat(1.0)), warmup_seconds=0.1)
    assert run.warmup_runs < 10


def test_a_clock_that_stands_still_ends_nothing_but_the_loop_does() -> None:
    run, _, _ = measured(repeat(0.0), max_samples=50)
    assert len(run.samples_ms) == 50


def test_counters_see_the_timed_runs_and_only_those() -> None:
    run, _, region = measured(repeat(0.004), max_seconds=0.1)
    assert region.before == run.warmup_runs
    assert region.after - region.before == len(run.samples_ms) * run.runs_per_sample
    assert run.counters is not None
    assert run.counters.values == {"runs": 1.0}


def test_kernels_share_the_unprofiled_latency() -> None:
    run, _, _ = measured(repeat(3.0))
    assert run.kernels is not None
    assert sum(kernel.share for kernel in run.kernels) == pytest.approx(1.0)
    assert sum(kernel.time_ms for kernel in run.kernels) == pytest.approx(3.0)
    assert [kernel.node for kernel in run.kernels] == [0, 1, 2]


def test_kernels_that_nobody_wants_are_not_measured() -> None:
    assert measured(repeat(3.0), kernels=False)[0].kernels is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MemoryError, "need more memory"),
        (lambda: None, "times no kernels"),
        (lambda: OSError(28, "No space left on device"), "No space left on device"),
        (lambda: json.JSONDecodeError("Unterminated string", "", 0), "cannot be read (JSONDecodeError"),
        (lambda: KeyError("args"), "cannot be read (KeyError"),
        (lambda: LatcastError("Its loops run often."), "Its loops run often."),
    ],
)
def test_whatever_keeps_kernels_from_being_timed_leaves_the_latency(
    fault: Callable[[], Exception | None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kernels(self: FakeSession, feeds: object) -> None:
        error = fault()
        if error is not None:
            raise error

    monkeypatch.setattr(FakeSession, "kernels", kernels)
    run, _, _ = measured(repeat(3.0))
    assert run.kernels is None
    assert words in run.no_kernels
    assert median(run.samples_ms) == 3.0


def test_more_kernels_than_are_kept_leave_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "kernels", lambda *_: [KernelRecord(operator="Add", time_us=1.0)] * 10_001)
    run, _, _ = measured(repeat(3.0))
    assert run.kernels is None
    assert "10,001 kernels" in run.no_kernels


def test_a_kernel_that_the_runtime_invented_belongs_to_no_node() -> None:
    records = [
        KernelRecord(operator="Conv", time_us=30, outputs=("gone", "y")),
        KernelRecord(operator="Reorder", time_us=10),
    ]
    conv, reorder = kernel_timings(records, 2.0, {"y": 7})
    assert (conv.node, conv.share, conv.time_ms) == (7, 0.75, 1.5)
    assert (reorder.node, reorder.share) == (None, 0.25)


def test_kernels_that_took_no_time_have_no_shares() -> None:
    assert kernel_timings([KernelRecord(operator="Relu", time_us=0)], 1.0, {}) == ()


def _cycle(*values: float) -> Iterator[float]:
    return chain.from_iterable(repeat(values))
