"""Child processes: whatever happens in them, the parent gets a record."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from latcast.schema import (
    CounterReading,
    Device,
    Failure,
    InputError,
    InvalidModelError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    UnknownNameError,
    from_plain,
    most_readings,
    to_plain,
)
from profilers.feeds import feed_specs
from profilers.onnx_graph import load_graph, placeholder, strip_weights
from profilers.timing import sandbox
from profilers.timing.child import ProfileAnswer
from profilers.timing.sandbox import measure

T = TypeVar("T")
DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip
QUICK = ProfileSettings(backend="fake", processes=1, max_seconds=0.02, warmup_seconds=0.01, sentinel=False,
                        timeout_s=30.0, memory_limit_bytes=2**29)  # fmt: skip


def small_model(weights: TensorProto | None = None) -> bytes:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (2, s)) for n, s in (("x", 8), ("y", 4)))
    weights = weights or helper.make_tensor("w", TensorProto.FLOAT, (8, 4), np.ones(32, np.float32))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Sigmoid", ["h"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [weights])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def measured(settings: ProfileSettings = QUICK, model: bytes | None = None, **options: str) -> Measurement:
    return measure(model or small_model(), device=DEVICE, settings=replace(settings, options=options))


def test_a_measurement_says_what_where_and_how() -> None:
    found = measured(replace(QUICK, processes=3, sentinel=True), latency_us="300")
    assert found.failure is None
    assert found.graph == load_graph(small_model()).hash
    assert found.target.options == {"latency_us": "300", "fault": "none"}
    assert len(found.runs) >= 3
    assert len(found.sentinel_ms) >= 6
    assert found.summary is not None
    assert found.summary.median_ms >= 0.3
    assert found.before is not None
    assert found.after is not None
    assert found.after.time_unix_s >= found.before.time_unix_s
    assert found.peak_memory_bytes > 2**20


def test_only_the_first_process_records_kernels_and_they_name_nodes() -> None:
    found = measured(replace(QUICK, processes=2))
    assert found.runs[1].kernels is None
    assert found.kernels is not None
    assert [(kernel.operator, kernel.node) for kernel in found.kernels] == [("MatMul", 0), ("Sigmoid", 1)]


def test_a_measurement_survives_the_wire() -> None:
    found = measured()
    assert from_plain(Measurement, to_plain(found)) == found


@pytest.mark.parametrize(
    ("fault", "stage", "words"),
    [
        ("crash", "crash", "SIGSEGV"),
        ("exit", "crash", "exit code 3"),
        ("error", "run", "asked to"),
        ("memory", "memory", "512 MiB"),
    ],
)
def test_what_kills_a_child_becomes_a_failure(fault: str, stage: str, words: str) -> None:
    found = measured(fault=fault)
    assert found.failure is not None
    assert (found.failure.stage, found.runs) == (stage, ())
    assert words in found.failure.message


def test_a_hanging_runtime_is_killed_with_all_its_family() -> None:
    before = set(psutil.Process().children(recursive=True))
    found = measured(replace(QUICK, timeout_s=1.5), fault="hang")
    assert found.failure is not None
    assert found.failure.stage == "timeout"
    assert set(psutil.Process().children(recursive=True)) == before


def test_an_option_that_the_backend_does_not_know_is_a_failure_to_open() -> None:
    failure = measured(colour="red").failure
    assert failure == Failure(
        stage="open", message="The fake backend has no option 'colour': known are latency_us, fault."
    )


def test_bytes_that_are_no_model_are_the_callers_mistake() -> None:
    with pytest.raises(InvalidModelError):
        measured(model=b"not a model")


def test_an_unknown_backend_is_the_callers_mistake() -> None:
    with pytest.raises(UnknownNameError):
        measured(replace(QUICK, backend="abacus"))


def test_stripped_weights_are_refilled_in_a_child_of_their_own() -> None:
    stripped = small_model(placeholder("w", (8, 4)))
    found = measured(replace(QUICK, backend="onnxruntime"), model=stripped)
    assert found.failure is None
    assert found.graph == load_graph(stripped).hash


def test_nodes_of_one_name_are_told_apart() -> None:
    twins = ModelProto.FromString(small_model())
    for node in twins.graph.node:
        node.name = "conv"
    found = measured(replace(QUICK, backend="onnxruntime", kernels=True), model=twins.SerializeToString())
    assert found.failure is None
    assert found.kernels is not None
    assert {kernel.node for kernel in found.kernels} == {0, 1}


def test_a_failure_to_run_names_the_generated_inputs_that_steer() -> None:
    places = helper.make_tensor_value_info("places", TensorProto.INT64, [2])
    x, y = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 8]), helper.make_empty_tensor_value_info("y")
    nodes = [helper.make_node("Mul", ["places", "far"], ["p"]), helper.make_node("Gather", ["x", "p"], ["y"])]
    far = helper.make_tensor("far", TensorProto.INT64, [], [1000])
    proto = helper.make_model(helper.make_graph(nodes, "g", [x, places], [y], [far]),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)  # fmt: skip
    model, settings = proto.SerializeToString(), replace(QUICK, backend="onnxruntime")
    failure = measured(settings, model=model).failure
    assert failure is not None
    assert failure.stage == "feeds"
    assert failure.message.endswith(
        "The generated values of 'places' may be none that the model takes: give inputs of your own with --feeds."
    )
    feeds = {"x": np.ones((4, 8), np.float32), "places": np.zeros(2, np.int64)}
    assert measure(model, device=DEVICE, settings=settings, feeds=feeds).failure is None


def test_given_arrays_are_what_goes_in() -> None:
    feeds = {"x": np.full((2, 8), 3.0, np.float32)}
    found = measure(small_model(), device=DEVICE, settings=replace(QUICK, backend="onnxruntime"), feeds=feeds)
    assert found.failure is None
    assert [(spec.name, spec.low, spec.high) for spec in found.feeds] == [("x", 3.0, 3.0)]


def test_feeds_that_do_not_fit_fail_in_the_child() -> None:
    feeds = {"x": np.ones((2, 9), np.float32)}
    failure = measure(small_model(), device=DEVICE, settings=replace(QUICK, backend="onnxruntime"), feeds=feeds).failure
    assert failure is not None
    assert failure.stage == "run"
    assert "dimensions" in failure.message


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    measured(fault="crash")
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
def test_children_end_with_their_parent(tmp_path: Path) -> None:
    program = (
        "from profilers.timing.sandbox import measure\n"
        f"from latcast.schema import *\n"
        f"model = open({str(tmp_path / 'm.onnx')!r}, 'rb').read()\n"
        f"device = from_plain(Device, {to_plain(DEVICE)!r})\n"
        "measure(model, device=device, settings=ProfileSettings(backend='fake', options={'fault': 'hang'}))\n"
    )
    (tmp_path / "m.onnx").write_bytes(small_model())
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}) as parent:
        child = _eventually(lambda: _asleep(psutil.Process(parent.pid).children()))
        parent.send_signal(signal.SIGKILL)
    _eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _asleep(children: list[psutil.Process]) -> psutil.Process | None:
    """The child once it has loaded its libraries and hangs, as it was told to."""
    return next((c for c in children if c.memory_info().rss > 3e7 and c.status() == psutil.STATUS_SLEEPING), None)


def _eventually(condition: Callable[[], T | None]) -> T:
    for _ in range(600):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


class Script:
    """A sandbox whose processes answer what the test says."""

    def __init__(self, *answers: ProfileAnswer | Failure, measured: bool = False) -> None:
        self.answers, self.kernels, self.measured = list(answers), [], measured

    def prepare(self) -> None:
        return None

    def profile(self, *, kernels: bool) -> ProfileAnswer | Failure:
        self.kernels.append(kernels)
        return self.answers.pop(0)

    def had_latency(self) -> bool:
        return self.measured


def run_of(latency_ms: float, busy: float = 1.0, interruptions: int = 0) -> ProcessRun:
    values = {"user-time-ns": busy * 1e6, "system-time-ns": 0.0, "involuntary-context-switches": interruptions / 10}
    counters = CounterReading(values=values, enabled_ns={"user-time-ns": 10_000_000})
    return ProcessRun(samples_ms=(latency_ms,) * 10, counters=counters)


CALM = ProfileAnswer(run=run_of(1.0), sentinel_ms=(1.0, 1.04))
DRIFTED = ProfileAnswer(run=run_of(2.0), sentinel_ms=(1.0, 1.06))
STARVED = ProfileAnswer(run=run_of(3.0, busy=0.5, interruptions=9), sentinel_ms=(1.0, 1.0))
PAUSED = ProfileAnswer(run=run_of(4.0, busy=0.1), sentinel_ms=(1.0, 1.0))


def repeated(*answers: ProfileAnswer | Failure, processes: int = 1) -> tuple[sandbox._Outcome, Script]:
    script = Script(*answers)
    return sandbox._repeat(script, replace(QUICK, processes=processes), lambda share, what: None), script  # type: ignore[arg-type]


@pytest.mark.parametrize("disturbed", [DRIFTED, STARVED])
def test_a_disturbed_process_is_run_again_once(disturbed: ProfileAnswer) -> None:
    outcome, _ = repeated(disturbed, CALM)
    assert outcome.runs == (CALM.run,)
    assert not outcome.noisy
    assert outcome.sentinel_ms == disturbed.sentinel_ms + CALM.sentinel_ms


@pytest.mark.parametrize("disturbed", [DRIFTED, STARVED])
def test_a_host_that_stays_disturbed_makes_the_measurement_noisy(disturbed: ProfileAnswer) -> None:
    outcome, script = repeated(disturbed, disturbed, disturbed, CALM, processes=3)
    assert outcome.noisy
    assert outcome.runs == (disturbed.run, disturbed.run, CALM.run)
    assert script.answers == []


def test_each_process_may_be_repeated_and_a_measurement_has_no_more_readings_than_are_taken() -> None:
    outcome, _ = repeated(*[DRIFTED, CALM] * 3, processes=3)
    assert not outcome.noisy
    assert len(outcome.sentinel_ms) == most_readings(replace(QUICK, processes=3, sentinel=True))


def test_a_model_that_waits_by_itself_is_not_disturbed() -> None:
    assert not repeated(PAUSED)[0].noisy


def test_the_first_failure_ends_the_measurement() -> None:
    failure = Failure(stage="crash", message="so it was")
    outcome, script = repeated(CALM, failure, CALM, processes=3)
    assert outcome.failure == failure
    assert script.kernels == [True, False]


def test_processes_that_disagree_make_a_measurement_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [ProfileAnswer(run=run_of(1.0)), ProfileAnswer(run=run_of(1.3))]
    monkeypatch.setattr(sandbox._Sandbox, "profile", lambda self, *, kernels: answers.pop(0))
    assert measured(replace(QUICK, processes=2)).noisy


def test_progress_is_told_and_may_stop_the_measurement() -> None:
    class Enough(Exception):  # noqa: N818 - a test's own
        pass

    told: list[float] = []

    def progress(share: float, what: str) -> None:
        told.append(share)
        if len(told) == 2:
            raise Enough

    with pytest.raises(Enough):
        measure(small_model(), device=DEVICE, settings=replace(QUICK, processes=2), progress=progress)
    assert told == [0.0, 0.5]


def test_a_process_that_ends_while_it_times_kernels_costs_no_latency() -> None:
    killed = Failure(stage="memory", message="The process was killed.")
    script = Script(killed, CALM, measured=True)
    outcome = sandbox._one_more(script, sandbox._Outcome(), kernels=True)
    assert outcome.failure is None
    assert [run.no_kernels for run in outcome.runs] == ["The process was killed."]
    assert script.kernels == [True, False]
    early = Script(killed, CALM)
    assert sandbox._one_more(early, sandbox._Outcome(), kernels=True).failure == killed
    assert sandbox._one_more(Script(killed, measured=True), sandbox._Outcome(), kernels=False).failure == killed


def test_the_mark_of_taken_samples_is_of_the_last_process(tmp_path: Path) -> None:
    model = small_model()
    box = sandbox._Sandbox(tmp_path, QUICK, feed_specs(load_graph(model)), {})
    sandbox._lay_out(tmp_path, model, QUICK, ())
    assert isinstance(box.profile(kernels=True), ProfileAnswer)
    assert box.had_latency()
    assert isinstance(box.profile(kernels=False), ProfileAnswer)
    assert not box.had_latency()


def test_a_folder_that_takes_no_files_is_a_failure_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/full/model.onnx")

    monkeypatch.setattr(sandbox, "_lay_out", full)
    failure = measure(small_model(), device=DEVICE, settings=QUICK).failure
    assert failure is not None
    assert failure.message == (
        "The folder for temporary files cannot take the model: No space left on device (/full/model.onnx). "
        "Free space there, or set TMPDIR to another folder."
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "/usr/bin/python"),
            "refuses what a measurement needs: '/usr/bin/python'",
        ),
        (FileNotFoundError(2, "No such file or directory", "/proc/meminfo"), "needs: '/proc/meminfo' cannot be used"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "set TMPDIR to another folder"),
        (OSError(30, "Read-only file system", "/elsewhere/model"), "set TMPDIR to another folder"),
        (
            PermissionError(13, "Permission denied", f"{tempfile.gettempdir()}/latcast-1/m"),
            "set TMPDIR to another folder",
        ),
    ],
)
def test_only_what_the_temporary_folder_refuses_is_its_fault(error: OSError, said: str) -> None:
    assert said in sandbox.no_room(error)


def test_a_quota_that_stopped_the_processes_makes_a_measurement_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "stopped_by_quota", lambda environment: environment is not None)
    assert measure(small_model(), device=DEVICE, settings=QUICK).noisy


def test_more_threads_than_cpus_are_not_measured() -> None:
    with pytest.raises(InputError, match="2 threads cannot be measured"):
        measure(small_model(), device=DEVICE, settings=replace(QUICK, threads=2))


@pytest.mark.parametrize("stripped", [True, False])
def test_a_file_is_measured_without_being_held_here_and_stays_as_it_is(tmp_path: Path, stripped: bool) -> None:
    weights = numpy_helper.from_array(np.ones((1024, 2048), np.float32), "w")
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1024])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2048])], [weights],
        )
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    content = proto.SerializeToString()
    path.write_bytes(strip_weights(content) if stripped else content)
    before = path.read_bytes()
    tracemalloc.start()
    measurement = measure(path, device=DEVICE, settings=QUICK)
    assert tracemalloc.get_traced_memory()[1] < 2 * 2**20  # of 8
    tracemalloc.stop()
    assert measurement.failure is None
    assert measurement.graph == load_graph(content).hash
    assert path.read_bytes() == before
