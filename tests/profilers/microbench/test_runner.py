"""Microbenchmarks: what is timed, what it comes to, and what happens when a runtime does not play along.

No test looks at how long anything took.
"""

import gc
import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from latcast.schema import (
    Availability,
    Device,
    Failure,
    LatcastError,
    Microbench,
    ProfileSettings,
    TensorSpec,
    UnknownNameError,
    from_plain,
    to_plain,
)
from profilers.backends.base import Backend
from profilers.backends.fake import FakeBackend
from profilers.microbench import ENTRIES, Entry, child, microbench, run_microbench, runner
from profilers.microbench.child import Answer, single
from profilers.microbench.entries import LEAST_LAUNCH_MS, entries_of, missing_entries
from profilers.microbench.probes import CHAIN, PROBES, THREADED, Probe, probe_model
from profilers.onnx_graph import load_graph, refill_weights
from profilers.timing.sentinel import sentinel_model

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip
FAKE = ProfileSettings(backend="fake", options={"latency_us": "10"})
PROBE_NAMES = [probe.name for probe in PROBES]
SMALL = ("chain_short", "chain_long", "gemm_64", "softmax_12x128")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that time for a moment."""
    monkeypatch.setattr(runner, "PROCESSES", 2)
    monkeypatch.setattr(runner, "TIMED_SECONDS", 0.01)


@pytest.fixture
def few(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of few probes."""
    monkeypatch.setattr(runner, "PROBES", tuple(probe for probe in PROBES if probe.name in SMALL))
    monkeypatch.setattr(runner, "THREADED", ("softmax_12x128",))
    runner._models.cache_clear()
    monkeypatch.setattr(runner, "DRIFT", math.inf)


@pytest.fixture(autouse=True)
def fresh_models() -> Iterator[None]:
    yield
    runner._models.cache_clear()


def run(settings: ProfileSettings = FAKE, **given: Any) -> Microbench:
    return run_microbench(settings, device=DEVICE, **given)


# --- The plan ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_probes_are_valid_and_do_the_work_they_claim(probe: Probe) -> None:
    model = probe_model(probe)
    assert model == probe_model(probe)
    onnx.checker.check_model(onnx.load_model_from_string(refill_weights(model)), full_check=True)
    graph = load_graph(model)
    if not probe.name.startswith("chain"):
        assert graph.macs == probe.macs * probe.nodes


def test_entries_have_names_that_can_be_stored_and_sources_that_exist() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    timed = {*PROBE_NAMES, *map(single, THREADED)}
    assert {source for entry in ENTRIES for source in entry.sources} == timed
    for entry in ENTRIES:
        assert entry.about
        assert entry.name.endswith("_ms") == (len(entry.sources) == 1 or entry.name == "launch_ms")


def test_rates_have_units() -> None:
    entry = Entry(name="x_ms", about="", sources=("x",), macs=2_000_000)
    assert entry.rate(0.5) == "4.0 GMAC/s"
    assert replace(entry, moved_bytes=3_000_000).rate(0.5) == "6.0 GB/s"
    assert replace(entry, macs=0).rate(0.5) == ""


def test_times_become_entries() -> None:
    times = {name: 1.0 + index for index, name in enumerate(PROBE_NAMES)}
    one = entries_of(times, threads=1)
    assert set(one) == {entry.name for entry in ENTRIES}
    assert one["call_ms"] == times["chain_short"]
    assert one["launch_ms"] == pytest.approx((times["chain_long"] - times["chain_short"]) / CHAIN)
    assert one["elementwise_2m_ms"] == times["elementwise_2m"] / 8
    assert one["gemm_512_thread_gain"] == 1.0
    two = entries_of({**times, single("gemm_512"): 2 * times["gemm_512"]}, threads=2)
    assert two["gemm_512_thread_gain"] == 2.0
    assert "conv3x3_256x14_thread_gain" not in two


def test_times_scale_and_ratios_do_not() -> None:
    times = {name: 1.0 + index for index, name in enumerate(PROBE_NAMES)}
    slow = entries_of({name: 1000 * ms for name, ms in times.items()}, threads=1)
    for name, value in entries_of(times, threads=1).items():
        assert slow[name] == pytest.approx(value * (1000 if name.endswith("_ms") else 1))


def test_a_chain_that_the_runtime_compiled_away_stays_positive() -> None:
    assert entries_of({"chain_short": 0.5, "chain_long": 0.4}, threads=1)["launch_ms"] == LEAST_LAUNCH_MS


def test_missing_entries_have_reasons() -> None:
    reasons = missing_entries({"call_ms": 1.0}, {"chain_long": "It crashed.", single("gemm_512"): "It hung."})
    assert "call_ms" not in reasons
    assert reasons["launch_ms"] == "It crashed."
    assert reasons["gemm_512_thread_gain"] == "It hung."
    assert all(reasons.values())


# --- Runs -------------------------------------------------------------------------------------------------------


def test_every_entry_of_a_backend_that_runs_everything(quick: None) -> None:
    said: list[tuple[float, str]] = []
    found = run(progress=lambda share, what: said.append((share, what)))
    assert list(found.values) == [entry.name for entry in ENTRIES]
    assert all(0 < value < math.inf for value in found.values.values())
    assert set(found.spread) == set(found.values)
    assert all(0 <= value < math.inf for value in found.spread.values())
    assert found.missing == {}
    assert found.target.options == {"latency_us": "10", "fault": "none"}
    assert found.before is not None
    assert found.after is not None
    assert len(found.sentinel_ms) >= 4
    assert [share for share, _ in said] == sorted(share for share, _ in said)
    assert said[-1] == (1.0, "done")
    assert from_plain(Microbench, to_plain(found)) == found


def test_a_target_with_threads_compares_with_one(few: None) -> None:
    values = microbench(replace(FAKE, threads=2))
    assert "softmax_12x128_thread_gain" in values


@pytest.mark.parametrize("threads", [1, 2])
def test_onnx_runtime_runs_every_probe(quick: None, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(runner, "PROCESSES", 1)
    found = run(ProfileSettings(threads=threads))
    # A busy host may find a big probe too slow; nothing else may be missing.
    assert all("too long" in why or "all the time" in why for why in found.missing.values())
    assert all(0 < value < math.inf for value in found.values.values())
    assert {"call_ms", "launch_ms", "gemm_64_ms", "depthwise3x3_512x7_ms"} <= set(found.values)


@pytest.mark.parametrize(("fault", "words"), [("error", "fake runtime failed"), ("crash", "SIG"), ("exit", "code 3")])
def test_a_runtime_that_always_fails_is_a_sentence(few: None, fault: str, words: str) -> None:
    with pytest.raises(LatcastError, match=f"No microbenchmark could be timed.*{words}"):
        run(replace(FAKE, options={"fault": fault}))


def test_a_runtime_that_hangs_is_stopped(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOTAL_SECONDS", 3.0)
    with pytest.raises(LatcastError, match="did not finish within"):
        run(replace(FAKE, options={"fault": "hang"}))


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(UnknownNameError, match="abacus"):
        run(ProfileSettings(backend="abacus"))


# --- Children that a test plays ---------------------------------------------------------------------------------


class Child:
    """Stands for `run_child`: answers as scripted, or dies at a probe."""

    def __init__(self, *script: Answer | str) -> None:
        self._script = list(script)
        self.asked: list[list[str]] = []

    def __call__(self, command: list[str], folder: Any, output: Any, timeout_s: float) -> int:
        name, step = command[-1], self._script.pop(0)
        request = from_plain(child.Request, json.loads((folder / f"{name}.request.json").read_bytes()))
        self.asked.append(list(request.probes))
        output.write_text("")
        if isinstance(step, str):
            if step:
                (folder / f"{name}.at").write_text(step)
            return -signal.SIGSEGV
        (folder / f"{name}.answer.json").write_text(json.dumps(to_plain(step)))
        return 0


def answer(ms: float = 1.0, *, sentinel: tuple[float, float] = (1.0, 1.0), **changes: float) -> Answer:
    samples = {name: (changes.get(name, ms),) * 3 for name in SMALL if changes.get(name, ms)}
    return Answer(samples_ms=samples, sentinel_ms=sentinel)


@pytest.fixture
def played(few: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    def play(*script: Answer | str) -> Child:
        child = Child(*script)
        monkeypatch.setattr(runner, "run_child", child)
        monkeypatch.setattr(runner, "DRIFT", 0.05)
        return child

    return play


def test_the_probe_that_takes_the_process_down_is_left_out(played: Callable[..., Child]) -> None:
    without = replace(answer(), samples_ms={"chain_short": (1.0,)})
    child = played("gemm_64", without, without)
    found = run()
    assert "gemm_64" in child.asked[0]
    assert "gemm_64" not in child.asked[1] + child.asked[2]
    assert "SIGSEGV" in found.missing["gemm_64_ms"]
    assert list(found.values) == ["call_ms"]


def test_what_was_timed_survives_a_late_failure(played: Callable[..., Child]) -> None:
    played(answer(2.0), "")
    assert run().values["gemm_64_ms"] == 2.0


def test_a_failure_that_no_probe_explains_is_told(played: Callable[..., Child]) -> None:
    played(Answer(failure=Failure(stage="unavailable", message="The runtime is gone.")))
    with pytest.raises(LatcastError, match="The runtime is gone"):
        run()


def test_a_disturbed_process_is_run_again_once(played: Callable[..., Child]) -> None:
    drifting = answer(9.0, sentinel=(1.0, 1.5))
    child = played(drifting, answer(1.0), answer(1.0))
    found = run()
    assert len(child.asked) == 3
    assert found.values["gemm_64_ms"] == 1.0
    assert not found.noisy
    assert found.sentinel_ms == (1.0, 1.5, 1.0, 1.0, 1.0, 1.0)


def test_a_host_that_stays_busy_makes_it_noisy(played: Callable[..., Child]) -> None:
    drifting = answer(sentinel=(1.0, 1.5))
    played(drifting, drifting, drifting)
    assert run().noisy


def test_processes_that_disagree_make_it_noisy(played: Callable[..., Child]) -> None:
    played(answer(1.0), answer(2.0))
    found = run()
    assert found.noisy
    assert found.values["gemm_64_ms"] == 1.25
    assert found.spread["gemm_64_ms"] == 0.8


# --- In the child -----------------------------------------------------------------------------------------------


class Picky(FakeBackend):
    """Knows no Softmax, is slow with short chains, and wants no memory for long ones."""

    @contextmanager
    def open(self, model: bytes, settings: ProfileSettings) -> Iterator[Any]:
        nodes = onnx.load_model_from_string(model).graph.node
        if any(node.op_type == "Softmax" for node in nodes):
            raise NotImplementedError("Softmax")
        if len(nodes) > 40:
            raise MemoryError
        options = {"latency_us": "400000" if nodes[0].op_type == "MatMul" and len(nodes) == 1 else "10"}
        with super().open(model, replace(settings, options=options)) as session:
            yield session

    def probe(self) -> Availability:
        return Availability(ok=True)


def test_a_probe_that_fails_costs_itself_alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = bench(Picky(), tmp_path, monkeypatch, ("softmax_12x128", "chain_short", "chain_long", "sigmoid_256k"))
    assert list(answered.samples_ms) == ["sigmoid_256k"]
    assert answered.missing["softmax_12x128"] == "NotImplementedError: Softmax"
    assert "too long" in answered.missing["chain_short"]
    assert "MemoryError" in answered.missing["chain_long"]
    assert answered.failure is None
    assert not list(tmp_path.glob("*.at"))


def test_what_comes_too_late_is_not_opened(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = bench(FakeBackend(), tmp_path, monkeypatch, ("chain_short", "sigmoid_256k"), open_seconds=0.0)
    assert answered.samples_ms == {}
    assert all("all the time" in why for why in answered.missing.values())


def bench(
    backend: Backend, folder: Any, monkeypatch: pytest.MonkeyPatch, probes: tuple[str, ...], open_seconds: float = 30.0
) -> Answer:
    models: Mapping[str, bytes] = {probe.name: probe_model(probe) for probe in PROBES if probe.name in probes}
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(refill_weights(model))
    (folder / "sentinel.onnx").write_bytes(sentinel_model())
    monkeypatch.setattr(child, "get_backend", lambda name: backend)
    request = child.Request(
        task="time", settings=FAKE, parent_pid=os.getpid(), probes=probes, seconds=0.01, open_seconds=open_seconds
    )
    try:
        return child._answer(request, folder, folder / "bench.at")
    finally:
        gc.enable()


def test_feeds_have_memory_of_their_own_and_are_no_zeros() -> None:
    opened = child._Opened(ExitStack(), FakeBackend(), lambda: 0)
    values = opened._values(TensorSpec(name="x", dtype="float32", shape=(300, 1024)))
    assert values.shape == (300, 1024)
    assert values.dtype == np.float32
    assert np.count_nonzero(values) > 0.99 * values.size
    assert not np.array_equal(values[0], values[1])


def test_in_eight_bits_what_cannot_be_quantised_runs_as_it_is(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[child.Request] = []
    ask = runner._Bench._ask

    def noted(bench: Any, request: child.Request, limited: ProfileSettings) -> Answer:
        asked.append(request)
        return ask(bench, request, limited)

    monkeypatch.setattr(runner._Bench, "_ask", noted)
    found = run(ProfileSettings(precision="int8_dynamic"))
    assert [request.task for request in asked][:2] == ["prepare", "time"]
    assert asked[1].plain == ("softmax_12x128",)
    assert found.missing.keys().isdisjoint({"call_ms", "launch_ms", "gemm_64_ms", "softmax_12x128_ms"})
