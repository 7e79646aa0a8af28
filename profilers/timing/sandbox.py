"""Measures a model in child processes that may crash, hang or devour memory without harm to this one.

Each repetition is a fresh `profilers.timing.child` in its own session and a private folder, with a minimal environment,
no inherited handles, limits on address space, file size and wall-clock time; it ends when this process ends.
"""

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from latcast.onnx_files import without_weights
from latcast.schema import (
    Device,
    Failure,
    FeedSpec,
    Graph,
    Measurement,
    ProcessRun,
    ProfileSettings,
)
from profilers.backends import get_backend
from profilers.backends.target_settings import target_for
from profilers.feeds import describe_feeds, feed_specs, steering_inputs
from profilers.host.cpus import cpus_for, refuse_more_threads_than_cpus
from profilers.host.environment import EnvironmentReader, stopped_by_quota
from profilers.host.exclusive import alone_on_this_host
from profilers.host.one_shot import OneShotChildren
from profilers.host.private_folder import PrivateFolder
from profilers.progress import Progress, no_progress
from profilers.timing.child import (
    FEEDS_FILE,
    MEASURED_FILE,
    MODEL_FILE,
    SENTINEL_FILE,
    ProfileAnswer,
    ProfileRequest,
)
from profilers.timing.limits import limits_of
from profilers.timing.sentinel import DRIFT, drift, sentinel_model

__all__ = ["Feeds", "measure", "no_room"]

Feeds = Sequence[FeedSpec] | Mapping[str, np.ndarray[Any, Any]]
"""A recipe for each input, or the arrays themselves."""

PROCESS_SPREAD = 0.2
"""Processes that disagree by more than this share of the latency make a measurement noisy."""

LEAST_CPU_SHARE, LEAST_INTERRUPTIONS = 0.9, 5
"""A process that had less of a processor than this while it was timed, and was interrupted so often, is run again."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Errors of files that are written."""
STRIPPED_MARK = b"latcast:refill="


def measure(
    model: bytes | Path,
    *,
    device: Device,
    settings: ProfileSettings,
    feeds: Feeds | None = None,
    graph: Graph | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure one model on one target.

    Args:
        model: ONNX with static shapes, or the path of its file, which is never held in memory here; stripped weights
            are refilled from `settings.seed`.
        device: this machine, as `profilers.host.device.describe_device` gives it.
        settings: how to measure.
        feeds: what goes in; by default `profilers.feeds.feed_specs(graph)`.
        graph: the model's graph, where it is there already.
        progress: called before and after each process.

    Returns:
        A measurement, with samples or with a failure: whatever the model does to its runtime, this returns.

    Raises:
        InvalidModelError: the bytes are not a model that can be read.
        InvalidFeedsError: no feeds can be made for its inputs.
        UnknownNameError: no such backend.
        InputError: more threads than CPUs.
    """
    refuse_more_threads_than_cpus(settings.threads, device)
    graph = graph or _load(model)
    generated = feeds is None or not isinstance(feeds, Mapping)
    feeds = feed_specs(graph) if feeds is None else feeds
    target, host = target_for(device, settings), EnvironmentReader()
    before = host.read()
    try:
        outcome = _in_a_folder(model, settings, feeds, graph, progress or no_progress)
    except OSError as error:
        outcome = _Outcome(failure=_no_room(error))
    if generated:
        outcome = _with_advice(outcome, graph)
    after = host.read()
    failed = outcome.failure is not None
    measurement = Measurement(
        graph=graph.hash,
        target=target,
        settings=settings,
        feeds=describe_feeds(feeds) if isinstance(feeds, Mapping) else tuple(feeds),
        before=before,
        after=after,
        runs=() if failed else outcome.runs,
        failure=outcome.failure,
        noisy=outcome.noisy or stopped_by_quota(after),
        sentinel_ms=outcome.sentinel_ms,
    )
    summary = measurement.summary
    return replace(measurement, noisy=True) if summary and summary.process_spread > PROCESS_SPREAD else measurement


def _in_a_folder(
    model: bytes | Path, settings: ProfileSettings, feeds: Feeds, graph: Graph, progress: Progress
) -> "_Outcome":
    with PrivateFolder() as folder:
        _lay_out(folder, model, settings, feeds)
        sandbox = _Sandbox(folder, settings, feeds, _producers(graph), has_twins=_has_twins(graph))
        return _repeat(sandbox, settings, progress)


def _no_room(error: OSError) -> Failure:
    """The failure of a measurement whose files could not be written."""
    return Failure(stage="internal", message=no_room(error))


def no_room(error: OSError) -> str:
    """What is to be done where the folder for temporary files refuses a model, or the system something else."""
    reason, name = error.strerror or str(error), error.filename
    if name and error.errno not in _FULL and not Path(os.fsdecode(name)).is_relative_to(tempfile.gettempdir()):
        return f"The system refuses what a measurement needs: {os.fsdecode(name)!r} cannot be used ({reason})."
    return (
        f"The folder for temporary files cannot take the model: {reason}"
        f"{f' ({name})' if name else ''}. Free space there, or set TMPDIR to another folder."
    )


def _load(model: bytes | Path) -> Graph:
    from profilers.onnx_graph import load_graph

    return load_graph(model if isinstance(model, bytes) else without_weights(model))


def _producers(graph: Graph) -> dict[str, int]:
    """Tensor name → index of the node that produces it."""
    tensors = graph.tensors
    return {tensors[i].name: index for index, node in enumerate(graph.nodes) for i in node.outputs if i >= 0}


def _with_advice(outcome: "_Outcome", graph: Graph) -> "_Outcome":
    """The same; a failure to run is one of the feeds where generated ones steer, and says which may have caused it."""
    failure, names = outcome.failure, steering_inputs(graph)
    if failure is None or failure.stage != "run" or not names:
        return outcome
    listed = ", ".join(repr(name) for name in names)
    advice = f"The generated values of {listed} may be none that the model takes: give inputs of your own with --feeds."
    return replace(outcome, failure=Failure(stage="feeds", message=f"{failure.message.rstrip('.')}. {advice}"))


def _has_twins(graph: Graph) -> bool:
    """Whether nodes of the graph, or of a body, share a name, which some runtimes refuse."""
    names = [node.name for node in graph.nodes if node.name]
    return len(set(names)) < len(names) or any(_has_twins(body) for node in graph.nodes for body in node.bodies)


@dataclass(frozen=True, slots=True)
class _Outcome:
    runs: tuple[ProcessRun, ...] = ()
    sentinel_ms: tuple[float, ...] = ()
    noisy: bool = False
    failure: Failure | None = None


def _repeat(sandbox: "_Sandbox", settings: ProfileSettings, progress: Progress) -> _Outcome:
    """All processes of a measurement, up to the first failure."""
    failure = sandbox.prepare()
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
    """The outcome with one more process; a process that was disturbed is run again, once.

    Where that was in vain before, the host is busy for longer than we care to wait, and nothing is repeated.
    The repetition takes the place of the run that it repeats; the sentinel's readings of both are kept.
    """
    answer = sandbox.profile(kernels=kernels)
    readings = _readings(answer)
    if kernels and isinstance(answer, Failure) and sandbox.had_latency():
        answer = _without_kernels(sandbox, answer)
        readings += _readings(answer)
    if _disturbed(answer) and not outcome.noisy:
        answer = sandbox.profile(kernels=kernels)
        readings += _readings(answer)
    seen = replace(outcome, sentinel_ms=outcome.sentinel_ms + readings)
    if isinstance(answer, Failure):
        return replace(seen, failure=answer)
    runs = (*outcome.runs, answer.run) if answer.run else outcome.runs
    return replace(seen, runs=runs, noisy=outcome.noisy or _disturbed(answer))


def _without_kernels(sandbox: "_Sandbox", lost: Failure) -> ProfileAnswer | Failure:
    """One more process for the latency alone, after one that ended while it timed kernels."""
    answer = sandbox.profile(kernels=False)
    if isinstance(answer, Failure) or answer.run is None:
        return answer
    return replace(answer, run=replace(answer.run, no_kernels=lost.message))


def _readings(answer: ProfileAnswer | Failure) -> tuple[float, ...]:
    return () if isinstance(answer, Failure) else answer.sentinel_ms


def _disturbed(answer: ProfileAnswer | Failure) -> bool:
    """Whether the host changed its speed meanwhile, or gave the processor to another program."""
    if isinstance(answer, Failure):
        return False
    drifted = len(answer.sentinel_ms) == 2 and drift(*answer.sentinel_ms) > DRIFT
    return drifted or (answer.run is not None and _starved(answer.run))


def _starved(run: ProcessRun) -> bool:
    """Whether other programs took the processor: time passed, but not ours, and the scheduler interrupted us."""
    counted = run.counters.values if run.counters else {}
    if not run.counters or not {"user-time-ns", "system-time-ns", "involuntary-context-switches"} <= counted.keys():
        return False
    runs, elapsed_ns = len(run.samples_ms) * run.runs_per_sample, run.counters.enabled_ns["user-time-ns"]
    busy_ns = (counted["user-time-ns"] + counted["system-time-ns"]) * runs
    interrupted = counted["involuntary-context-switches"] * runs >= LEAST_INTERRUPTIONS
    return interrupted and busy_ns < LEAST_CPU_SHARE * elapsed_ns


class _Sandbox:
    """Child processes that work on one model in a private folder.

    Args:
        folder: it has the model, the sentinel and the feeds, as `_lay_out` leaves them.
        settings: how to measure.
        feeds: what goes in.
        producers: tensor name → index of the node that produces it.
        has_twins: whether nodes share a name.
    """

    def __init__(
        self, folder: Path, settings: ProfileSettings, feeds: Feeds, producers: Mapping[str, int],
        *, has_twins: bool = False,
    ) -> None:  # fmt: skip
        self._has_twins = has_twins
        self._settings, self._feeds, self._producers = settings, feeds, producers
        self._folder = folder
        self._children = OneShotChildren("profilers.timing.child", ProfileAnswer, folder)

    def prepare(self) -> Failure | None:
        """Fill stripped weights in, tell nodes apart and quantise, where that is wanted.

        In a child of its own, so that the measured ones hold nothing but the model that they run.
        """
        wanted = self._settings.precision in get_backend(self._settings.backend).prepared_precisions
        if not (wanted or self._has_twins or _is_stripped(self._folder / MODEL_FILE)):
            return None
        answer = self._ask("prepare")
        return answer if isinstance(answer, Failure) else None

    def profile(self, *, kernels: bool) -> ProfileAnswer | Failure:
        """One fresh process that measures the model."""
        return self._ask("profile", kernels=kernels)

    def had_latency(self) -> bool:
        """Whether the last process had taken its samples when it ended."""
        return (self._folder / MEASURED_FILE).exists()

    def _ask(self, task: str, *, kernels: bool = False) -> ProfileAnswer | Failure:
        (self._folder / MEASURED_FILE).unlink(missing_ok=True)
        with alone_on_this_host():
            return self._children.ask(self._request(task, kernels), limits_of(self._settings))

    def _request(self, task: str, kernels: bool) -> ProfileRequest:
        return ProfileRequest(
            task=task,
            settings=replace(self._settings, kernels=kernels),
            cpus=cpus_for(self._settings.threads),
            feeds=() if isinstance(self._feeds, Mapping) else tuple(self._feeds),
            producers=self._producers if kernels else {},
        )


def _is_stripped(path: Path) -> bool:
    """Whether the model lacks weights."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(STRIPPED_MARK) >= 0


def _lay_out(folder: Path, model: bytes | Path, settings: ProfileSettings, feeds: Feeds) -> None:
    """Write what children find in the folder."""
    place = folder / MODEL_FILE
    if isinstance(model, bytes):
        place.write_bytes(model)
    else:
        _link_or_copy(model, place)
    if settings.sentinel:
        (folder / SENTINEL_FILE).write_bytes(sentinel_model())
    if isinstance(feeds, Mapping):
        (folder / FEEDS_FILE).write_bytes(_npz(feeds))


def _link_or_copy(model: Path, place: Path) -> None:
    try:
        os.link(model.resolve(), place)
    except OSError:  # another file system, or one without links
        shutil.copyfile(model, place)


def _npz(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
