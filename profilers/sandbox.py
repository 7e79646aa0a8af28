"""Measures a model in child processes that may crash, hang or devour memory without harm to this one.

Each repetition is a fresh `python -m profilers.child` in its own session and private folder, with a minimal
environment, no inherited handles, limits on address space, file size and wall-clock time; it ends when this process
ends.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from profilers.affinity import choose_cpus
from profilers.backends import get_backend
from profilers.child import FEEDS_FILE, MODEL_FILE, SENTINEL_FILE, Answer, Request
from profilers.environment import EnvironmentReader
from profilers.feeds import describe_feeds, feed_specs
from profilers.schema import (
    Device,
    Failure,
    FeedSpec,
    Graph,
    InputError,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    from_plain,
    to_plain,
)
from profilers.sentinel import DRIFT, drift, sentinel_model

__all__ = ["Feeds", "Progress", "measure", "target_for"]

Feeds = Sequence[FeedSpec] | Mapping[str, np.ndarray[Any, Any]]
"""A recipe for each input, or the arrays themselves."""

Progress = Callable[[float, str], None]
"""Called with the share done, 0–1, and what is being done."""

PROCESS_SPREAD = 0.2
"""Processes that disagree by more than this share of the latency make a measurement noisy."""

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
ANSWER_BYTES = 64 * 2**20
MESSAGE_CHARACTERS = 2000
STRIPPED_MARK = b"latcast:refill="


def target_for(device: Device, settings: ProfileSettings) -> Target:
    """The target that a measurement with these settings belongs to; the backend's default options are spelled out.

    Raises:
        UnknownNameError: no such backend.
    """
    backend = get_backend(settings.backend)
    return Target(
        device=device.fingerprint,
        backend=settings.backend,
        backend_version=backend.probe().version,
        precision=settings.precision,
        threads=settings.threads,
        options={**backend.default_options, **settings.options},
    )


def measure(
    model: bytes,
    *,
    device: Device,
    settings: ProfileSettings,
    feeds: Feeds | None = None,
    graph: Graph | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure one model on one target.

    Args:
        model: ONNX with static shapes; stripped weights are refilled from `settings.seed`.
        device: this machine, as `profilers.environment.describe_device` gives it.
        settings: how to measure.
        feeds: what goes in; by default `profilers.feeds.feed_specs(graph)`.
        graph: of the model, where it is there already.
        progress: called before and after each process.

    Returns:
        A measurement, with samples or with a failure: whatever the model does to its runtime, this returns.

    Raises:
        InvalidModelError: the bytes are not a model that can be read.
        InvalidFeedsError: no feeds can be made for its inputs.
        UnknownNameError: no such backend.
    """
    graph = graph or _load(model)
    given = feeds if feeds is not None else feed_specs(graph)
    target, host = target_for(device, settings), EnvironmentReader()
    before = host.read()
    with _Sandbox(model, settings, given, _producers(graph)) as sandbox:
        outcome = _repeat(sandbox, settings, progress or _no_progress)
    failed = outcome.failure is not None
    measurement = Measurement(
        graph=graph.hash,
        target=target,
        settings=settings,
        feeds=describe_feeds(given) if isinstance(given, Mapping) else tuple(given),
        before=before,
        after=host.read(),
        runs=() if failed else outcome.runs,
        failure=outcome.failure,
        noisy=outcome.noisy,
        sentinel_ms=outcome.sentinel_ms,
    )
    summary = measurement.summary
    return replace(measurement, noisy=True) if summary and summary.process_spread > PROCESS_SPREAD else measurement


def _load(model: bytes) -> Graph:
    from profilers.onnx_graph import load_graph

    return load_graph(model)


def _producers(graph: Graph) -> dict[str, int]:
    """Tensor name → index of the node that produces it."""
    tensors = graph.tensors
    return {tensors[i].name: index for index, node in enumerate(graph.nodes) for i in node.outputs if i >= 0}


def _no_progress(share: float, what: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    runs: tuple[ProcessRun, ...] = ()
    sentinel_ms: tuple[float, ...] = ()
    noisy: bool = False
    failure: Failure | None = None


def _repeat(sandbox: "_Sandbox", settings: ProfileSettings, progress: Progress) -> _Outcome:
    """All processes of a measurement, up to the first failure."""
    failure = sandbox.refill()
    if failure:
        return _Outcome(failure=failure)
    outcome, count = _Outcome(), max(1, settings.processes)
    for index in range(count):
        progress(index / count, f"process {index + 1} of {count}")
        outcome = _one_more(sandbox, outcome, kernels=settings.kernels and index == 0)
        if outcome.failure:
            return outcome
    progress(1.0, "done")
    return outcome


def _one_more(sandbox: "_Sandbox", outcome: _Outcome, *, kernels: bool) -> _Outcome:
    """The outcome with one more process; a process in which the sentinel drifted is run again, once.

    The repetition takes the place of the run that it repeats; the sentinel's readings of both are kept.
    """
    answer = sandbox.profile(kernels=kernels)
    readings = answer.sentinel_ms
    if _drifted(answer):
        answer = sandbox.profile(kernels=kernels)
        readings += answer.sentinel_ms
    return _Outcome(
        runs=(*outcome.runs, *((answer.run,) if answer.run else ())),
        sentinel_ms=outcome.sentinel_ms + readings,
        noisy=outcome.noisy or _drifted(answer),
        failure=answer.failure,
    )


def _drifted(answer: Answer) -> bool:
    return len(answer.sentinel_ms) == 2 and drift(*answer.sentinel_ms) > DRIFT


class _Sandbox:
    """A private folder with the model and its feeds, and child processes that work there."""

    def __init__(self, model: bytes, settings: ProfileSettings, feeds: Feeds, producers: Mapping[str, int]) -> None:
        self._model, self._settings, self._feeds, self._producers = model, settings, feeds, producers
        self._children = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="latcast-"))  # mode 0700
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            (self._folder / MODEL_FILE).write_bytes(self._model)
            if self._settings.sentinel:
                (self._folder / SENTINEL_FILE).write_bytes(sentinel_model())
            if isinstance(self._feeds, Mapping):
                (self._folder / FEEDS_FILE).write_bytes(_npz(self._feeds))
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def refill(self) -> Failure | None:
        """Fill stripped weights in, in a child of its own, so that the measured ones hold nothing but the model."""
        return self._run("refill").failure if STRIPPED_MARK in self._model else None

    def profile(self, *, kernels: bool) -> Answer:
        """One fresh process that measures the model."""
        return self._run("profile", kernels=kernels)

    def _run(self, task: str, *, kernels: bool = False) -> Answer:
        self._children += 1
        name = f"{task}-{self._children}"
        (self._folder / f"{name}.request.json").write_text(json.dumps(to_plain(self._request(task, kernels))))
        command = [sys.executable, "-P", "-m", "profilers.child", str(self._folder), name]
        output = self._folder / f"{name}.log"
        code = _run_process(command, self._folder, output, self._settings.timeout_s)
        return _answer(self._folder / f"{name}.answer.json", code, output, self._settings)

    def _request(self, task: str, kernels: bool) -> Request:
        return Request(
            task=task,
            settings=replace(self._settings, kernels=kernels),
            parent_pid=os.getpid(),
            cpus=_cpus(self._settings.threads),
            feeds=() if isinstance(self._feeds, Mapping) else tuple(self._feeds),
            producers=self._producers if kernels else {},
        )


def _npz(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _cpus(threads: int) -> tuple[int, ...]:
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return tuple(sorted(choose_cpus(threads, allowed=frozenset(os.sched_getaffinity(0)))))


def _run_process(command: Sequence[str], folder: Path, output: Path, timeout_s: float) -> int | None:
    """Exit code of the command, negative for a signal; None where it had to be killed at the end of its time."""
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            close_fds=True, start_new_session=True,
        )  # fmt: skip
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            _kill_group(process)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, "TMPDIR": str(folder), "ORT_DISABLE_TELEMETRY": "1", "PYTHONHASHSEED": "0"}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _answer(path: Path, code: int | None, output: Path, settings: ProfileSettings) -> Answer:
    """What the child wrote, or what its end says."""
    if code == 0 and path.exists() and path.stat().st_size <= ANSWER_BYTES:
        try:
            return from_plain(Answer, json.loads(path.read_bytes()))
        except (ValueError, InputError) as error:
            return Answer(failure=Failure(stage="crash", message=f"The process left an answer that is broken: {error}"))
    return Answer(failure=_explain(code, _tail(output), settings))


def _tail(output: Path) -> str:
    with output.open("rb") as log:
        log.seek(max(0, output.stat().st_size - MESSAGE_CHARACTERS))
        text = log.read(MESSAGE_CHARACTERS).decode(errors="replace")
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text).strip()


def _explain(code: int | None, said: str, settings: ProfileSettings) -> Failure:
    """A failure for a child that ended without an answer."""
    words = f" It said: {said}" if said else ""
    if code is None:
        return Failure(stage="timeout", message=f"The model did not finish within {settings.timeout_s:g} s and was "
                       f"stopped: a bigger timeout, or a smaller model, may help.{words}")  # fmt: skip
    if code == -signal.SIGKILL:
        return Failure(stage="memory", message="The system killed the process, most likely because the machine ran out "
                       f"of memory: a smaller model, or a lower memory limit, may help.{words}")  # fmt: skip
    if "bad_alloc" in said or "MemoryError" in said:
        return Failure(stage="memory", message="The model needs more memory than the "
                       f"{settings.memory_limit_bytes / 2**20:,.0f} MiB that it may use.{words}")  # fmt: skip
    if code < 0:
        return Failure(stage="crash", message=f"The runtime crashed with {_signal_name(-code)}.{words}")
    return Failure(stage="crash", message=f"The process ended with exit code {code} and no answer.{words}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
