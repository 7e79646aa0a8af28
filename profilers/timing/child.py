"""The process of one measurement (`profilers.host.one_shot`), which `profilers.timing.sandbox` starts.

Standard output and error belong to the runtime, whatever it prints. Imports are few, because every measurement starts
three such processes.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from latcast.schema import (
    Failure,
    FeedSpec,
    ProcessRun,
    ProfileSettings,
)
from profilers.backends import Backend, get_backend
from profilers.counters.combined import CombinedReader
from profilers.counters.perf_event import PerfEventReader
from profilers.counters.process import ProcessReader
from profilers.feeds import FeedArrays, make_feeds, read_npz
from profilers.host.cpus import pin
from profilers.host.one_shot import answer_one
from profilers.quantisation import CALIBRATION_FEEDS
from profilers.timing.failures import failure_of
from profilers.timing.loop import profile
from profilers.timing.sentinel import prepared_sentinel, sentinel_latency_ms

__all__ = ["FEEDS_FILE", "MEASURED_FILE", "MODEL_FILE", "SENTINEL_FILE", "ProfileAnswer", "ProfileRequest", "answer"]

MODEL_FILE, SENTINEL_FILE, FEEDS_FILE = "model.onnx", "sentinel.onnx", "feeds.npz"
MEASURED_FILE = "measured"
"""Written once the samples are taken: what ends the process afterwards need not cost the latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """What the child is to do.

    Args:
        task: `profile` the model in the folder, or `prepare` it: refill stripped weights, quantise.
        settings: how to measure.
        cpus: CPUs to be pinned to; empty leaves the scheduler free.
        feeds: recipe of the inputs, unless the folder holds `feeds.npz`.
        producers: tensor name → index of the node that produces it.
    """

    task: str
    settings: ProfileSettings
    cpus: tuple[int, ...] = ()
    feeds: tuple[FeedSpec, ...] = ()
    producers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileAnswer:
    """A run with the sentinel's latency in ms before and after it; empty for a preparation."""

    run: ProcessRun | None = None
    sentinel_ms: tuple[float, ...] = ()


def answer(request: ProfileRequest, folder: Path) -> ProfileAnswer | Failure:
    """Do what the request says, with the files in the folder."""
    stage = "load" if request.task == "prepare" else "open"
    try:
        if stage == "load":
            _refill(request, folder)
            stage = "open"
            return _prepare(request, folder)
        return _profile(request, folder)
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is a failure of the model, and reported
        return failure_of(error, request.settings, refused=stage)


def _refill(request: ProfileRequest, folder: Path) -> None:
    from profilers.onnx_graph import write_refilled

    path = folder / MODEL_FILE
    with _replacing(path) as draft:
        write_refilled(path.read_bytes(), draft, request.settings.seed)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes a model's place once it is written; the model's own may be the caller's, and stays as it is."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        yield file
    draft.replace(path)


def _prepare(request: ProfileRequest, folder: Path) -> ProfileAnswer:
    """The model and the sentinel as the backend wants them for the precision."""
    settings, backend = request.settings, get_backend(request.settings.backend)
    if settings.precision in backend.prepared_precisions:
        seeds = range(settings.seed, settings.seed + CALIBRATION_FEEDS)
        feeds = [_feeds(request, folder, seed) for seed in seeds]
        path, sentinel = folder / MODEL_FILE, folder / SENTINEL_FILE
        with _replacing(path) as draft:
            draft.write(backend.prepare(path.read_bytes(), settings, feeds))
        if settings.sentinel:
            sentinel.write_bytes(prepared_sentinel(sentinel.read_bytes(), type(backend), settings.precision))
    return ProfileAnswer()


def _profile(request: ProfileRequest, folder: Path) -> ProfileAnswer:
    settings, backend = request.settings, get_backend(request.settings.backend)
    if request.cpus:
        pin(frozenset(request.cpus))
    feeds = _feeds(request, folder, settings.seed)
    gc.disable()  # a collection in the middle of a sample would be the model's fault
    before = _sentinel(settings, backend, folder)
    with closing(CombinedReader([PerfEventReader(), ProcessReader()])) as counters:
        run = profile(
            folder / MODEL_FILE, feeds, backend, settings, counters=counters, producers=request.producers,
            on_samples=(folder / MEASURED_FILE).touch if settings.kernels else None,
        )  # fmt: skip
    return ProfileAnswer(run=run, sentinel_ms=(*before, *_sentinel(settings, backend, folder)))


def _feeds(request: ProfileRequest, folder: Path, seed: int) -> FeedArrays:
    path = folder / FEEDS_FILE
    return read_npz(path.read_bytes()) if path.exists() else make_feeds(request.feeds, seed)


def _sentinel(settings: ProfileSettings, backend: Backend, folder: Path) -> tuple[float, ...]:
    if not settings.sentinel:
        return ()
    return (sentinel_latency_ms((folder / SENTINEL_FILE).read_bytes(), backend, settings),)


if __name__ == "__main__":
    answer_one(ProfileRequest, answer)
