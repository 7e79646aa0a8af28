"""What runs in the child process of a measurement: `python -m profilers.timing.child FOLDER REQUEST`.

`profilers.timing.sandbox` writes the request into a private folder and reads the answer from there.
Standard output and error
belong to the runtime, whatever it prints. Imports are few, because every measurement starts three such processes.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from latcast.schema import (
    BackendUnavailableError,
    Failure,
    FeedSpec,
    InputError,
    InvalidFeedsError,
    ProcessRun,
    ProfileSettings,
    from_plain,
    to_plain,
)
from profilers.backends import Backend, get_backend
from profilers.counters.combined import CombinedReader
from profilers.counters.perf_event import PerfEventReader
from profilers.counters.process import ProcessReader
from profilers.feeds import FeedArrays, make_feeds, read_npz
from profilers.host.cpus import pin
from profilers.quantisation import CALIBRATION_FEEDS
from profilers.timing.loop import profile
from profilers.timing.sentinel import prepared_sentinel, sentinel_latency_ms

__all__ = ["FEEDS_FILE", "MODEL_FILE", "SENTINEL_FILE", "Answer", "Request", "die_with", "failure_of",
           "limit_resources", "main"]  # fmt: skip

MODEL_FILE, SENTINEL_FILE, FEEDS_FILE = "model.onnx", "sentinel.onnx", "feeds.npz"
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the child is to do.

    Args:
        task: `profile` the model in the folder, or `prepare` it: refill stripped weights, quantise.
        settings: how to measure.
        parent_pid: the child ends with this process.
        cpus: to be pinned to; empty leaves the scheduler free.
        feeds: recipe of the inputs, unless the folder holds `feeds.npz`.
        producers: tensor name → index of the node that produces it.
    """

    task: str
    settings: ProfileSettings
    parent_pid: int
    cpus: tuple[int, ...] = ()
    feeds: tuple[FeedSpec, ...] = ()
    producers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A run with the sentinel's latency before and after, or a failure; empty for a preparation."""

    run: ProcessRun | None = None
    sentinel_ms: tuple[float, ...] = ()
    failure: Failure | None = None


def main(folder: Path, name: str) -> None:
    """Read `<name>.request.json`, do what it says, write `<name>.answer.json`."""
    request = from_plain(Request, json.loads((folder / f"{name}.request.json").read_bytes()))
    die_with(request.parent_pid)
    limit_resources(request.settings.memory_limit_bytes)
    answer = _answer(request, folder)
    draft = folder / f"{name}.draft.json"
    draft.write_text(json.dumps(to_plain(answer)))
    draft.replace(folder / f"{name}.answer.json")


def die_with(parent_pid: int) -> None:
    """Linux kills this process when its parent ends, however that ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


def limit_resources(memory_limit_bytes: int) -> None:
    """Cap what this process may take: no core dumps, files and additional address space up to the limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (memory_limit_bytes, memory_limit_bytes))
    ceiling = _address_space_bytes() + memory_limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))


def _address_space_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 2**30


def _answer(request: Request, folder: Path) -> Answer:
    stage = "load" if request.task == "prepare" else "open"
    try:
        if stage == "load":
            _refill(request, folder)
            stage = "open"
            return _prepare(request, folder)
        return _profile(request, folder)
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is a failure of the model, and reported
        return Answer(failure=failure_of(error, request.settings, refused=stage))


def failure_of(error: Exception, settings: ProfileSettings, *, refused: str = "open") -> Failure:
    """The record of what was raised while a model was measured.

    Args:
        error: that was raised.
        settings: that were measured with.
        refused: stage of the failure where the model is what cannot be used.
    """
    if isinstance(error, MemoryError):
        limit = settings.memory_limit_bytes / 2**20
        words = f" ({error})" if str(error) else ""
        return Failure(
            stage="memory", message=f"The model needs more than the {limit:,.0f} MiB that it may use{words}."
        )
    if isinstance(error, BackendUnavailableError):
        return Failure(stage="unavailable", message=str(error))
    if isinstance(error, InputError):
        return Failure(stage="run" if isinstance(error, InvalidFeedsError) else refused, message=str(error))
    return Failure(stage="run", message=f"{type(error).__name__}: {error}")


def _refill(request: Request, folder: Path) -> None:
    from profilers.onnx_graph import refill_weights

    path = folder / MODEL_FILE
    path.write_bytes(refill_weights(path.read_bytes(), request.settings.seed))


def _prepare(request: Request, folder: Path) -> Answer:
    """The model and the sentinel as the backend wants them for the precision."""
    settings, backend = request.settings, get_backend(request.settings.backend)
    if settings.precision in backend.prepared_precisions:
        seeds = range(settings.seed, settings.seed + CALIBRATION_FEEDS)
        feeds = [_feeds(request, folder, seed) for seed in seeds]
        path, sentinel = folder / MODEL_FILE, folder / SENTINEL_FILE
        path.write_bytes(backend.prepare(path.read_bytes(), settings, feeds))
        if settings.sentinel:
            sentinel.write_bytes(prepared_sentinel(sentinel.read_bytes(), type(backend), settings.precision))
    return Answer()


def _profile(request: Request, folder: Path) -> Answer:
    settings, backend = request.settings, get_backend(request.settings.backend)
    if request.cpus:
        pin(frozenset(request.cpus))
    model, feeds = (folder / MODEL_FILE).read_bytes(), _feeds(request, folder, settings.seed)
    gc.disable()  # a collection in the middle of a sample would be the model's fault
    before = _sentinel(settings, backend, folder)
    with closing(CombinedReader([PerfEventReader(), ProcessReader()])) as counters:
        run = profile(model, feeds, backend, settings, counters=counters, producers=request.producers)
    return Answer(run=run, sentinel_ms=(*before, *_sentinel(settings, backend, folder)))


def _feeds(request: Request, folder: Path, seed: int) -> FeedArrays:
    given = folder / FEEDS_FILE
    return read_npz(given.read_bytes()) if given.exists() else make_feeds(request.feeds, seed)


def _sentinel(settings: ProfileSettings, backend: Backend, folder: Path) -> tuple[float, ...]:
    if not settings.sentinel:
        return ()
    return (sentinel_latency_ms((folder / SENTINEL_FILE).read_bytes(), backend, settings),)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
