"""What the processes of a microbenchmark say together, and what happens when a runtime does not play along.

No test looks at how long anything took.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latcast.schema import (
    Device,
    Failure,
    LatcastError,
    Microbench,
    ProfileSettings,
    UnknownNameError,
    from_plain,
    to_plain,
)
from profilers.host.child_limits import ChildLimits
from profilers.host.one_shot import OneShotChildren
from profilers.microbench import ENTRIES, microbench, run_microbench, runner
from profilers.microbench.child import OPENING_FILE, ProbeAnswer, ProbeRequest
from profilers.microbench.probes import PROBES

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=2,
                memory_bytes=2**30)  # fmt: skip
FAKE = ProfileSettings(backend="fake", options={"latency_us": "10"})
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_runtime_that_hangs_is_stopped(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOTAL_SECONDS", 3.0)
    with pytest.raises(LatcastError, match="did not finish within"):
        run(replace(FAKE, options={"fault": "hang"}))


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(UnknownNameError, match="abacus"):
        run(ProfileSettings(backend="abacus"))


# --- Children that a test plays ---------------------------------------------------------------------------------


class Children:
    """Stands for `OneShotChildren`: answers as scripted, fails, or dies at a probe."""

    def __init__(self, *script: ProbeAnswer | Failure | str) -> None:
        self._script = list(script)
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, module: str, answers: type[ProbeAnswer], folder: Path) -> "Children":
        self._folder = folder
        return self

    def ask(self, request: ProbeRequest, limits: ChildLimits) -> ProbeAnswer | Failure:
        step = self._script.pop(0)
        self.asked.append(request.probes)
        if not isinstance(step, str):
            return step
        if step:
            (self._folder / OPENING_FILE).write_text(step)
        return Failure(stage="crash", message="The runtime crashed with SIGSEGV.")


def answer(ms: float = 1.0, *, sentinel: tuple[float, float] = (1.0, 1.0), **changes: float) -> ProbeAnswer:
    samples = {name: (changes.get(name, ms),) * 3 for name in SMALL if changes.get(name, ms)}
    return ProbeAnswer(samples_ms=samples, sentinel_ms=sentinel)


@pytest.fixture
def played(few: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Children]:
    def play(*script: ProbeAnswer | Failure | str) -> Children:
        children = Children(*script)
        monkeypatch.setattr(runner, "OneShotChildren", children)
        monkeypatch.setattr(runner, "DRIFT", 0.05)
        return children

    return play


def test_the_probe_that_takes_the_process_down_is_left_out(played: Callable[..., Children]) -> None:
    without = replace(answer(), samples_ms={"chain_short": (1.0,)})
    children = played("gemm_64", without, without)
    found = run()
    assert "gemm_64" in children.asked[0]
    assert "gemm_64" not in children.asked[1] + children.asked[2]
    assert "SIGSEGV" in found.missing["gemm_64_ms"]
    assert list(found.values) == ["call_ms"]


def test_what_was_timed_survives_a_late_failure(played: Callable[..., Children]) -> None:
    played(answer(2.0), "")
    assert run().values["gemm_64_ms"] == 2.0


def test_a_failure_that_no_probe_explains_is_told(played: Callable[..., Children]) -> None:
    played(Failure(stage="unavailable", message="The runtime is gone."))
    with pytest.raises(LatcastError, match="The runtime is gone"):
        run()


def test_a_disturbed_process_is_run_again_once(played: Callable[..., Children]) -> None:
    drifting = answer(9.0, sentinel=(1.0, 1.5))
    children = played(drifting, answer(1.0), answer(1.0))
    found = run()
    assert len(children.asked) == 3
    assert found.values["gemm_64_ms"] == 1.0
    assert not found.noisy
    assert found.sentinel_ms == (1.0, 1.5, 1.0, 1.0, 1.0, 1.0)


def test_a_host_that_stays_busy_makes_it_noisy(played: Callable[..., Children]) -> None:
    drifting = answer(sentinel=(1.0, 1.5))
    played(drifting, drifting, drifting)
    assert run().noisy


def test_processes_that_disagree_make_it_noisy(played: Callable[..., Children]) -> None:
    played(answer(1.0), answer(2.0))
    found = run()
    assert found.noisy
    assert found.values["gemm_64_ms"] == 1.25
    assert found.spread["gemm_64_ms"] == 0.8


def test_in_eight_bits_what_cannot_be_quantised_runs_as_it_is(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ProbeRequest] = []
    ask = OneShotChildren.ask

    def noted(children: Any, request: ProbeRequest, limits: ChildLimits) -> Any:
        asked.append(request)
        return ask(children, request, limits)

    monkeypatch.setattr(OneShotChildren, "ask", noted)
    found = run(ProfileSettings(precision="int8_dynamic"))
    assert [request.task for request in asked][:2] == ["prepare", "time"]
    assert asked[1].plain == ("softmax_12x128",)
    assert found.missing.keys().isdisjoint({"call_ms", "launch_ms", "gemm_64_ms", "softmax_12x128_ms"})
