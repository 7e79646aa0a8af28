"""The process of microbenchmarks (`profilers.host.one_shot`), which `profilers.microbench.runner` starts."""

import gc
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from latcast.schema import (
    BackendUnavailableError,
    Failure,
    InvalidModelError,
    LatcastError,
    ProfileSettings,
    TensorSpec,
)
from profilers.backends import Backend, get_backend
from profilers.backends.base import Feeds, Session
from profilers.host.cpus import pin
from profilers.host.one_shot import answer_one
from profilers.timing.child import SENTINEL_FILE
from profilers.timing.failures import failure_of
from profilers.timing.interleaved import run_rounds, warm_up
from profilers.timing.loop import Clock
from profilers.timing.sentinel import prepared_sentinel, sentinel_latency_ms

__all__ = ["OPENING_FILE", "ProbeAnswer", "ProbeRequest", "answer", "single"]

AS_GIVEN = "as_given"
OPENING_FILE = "opening"
"""It names the probe that is being opened: where the runtime takes the process down, it was that one."""
LONGEST_RUN_MS = 250.0
"""A probe that takes longer once cannot be repeated often enough."""
NOISE_ELEMENTS = 65_521
"""Feeds repeat so many random values: a prime, so that no row equals its neighbour."""


def single(probe: str) -> str:
    """Name of the probe's samples with one thread on a target with more."""
    return f"{probe}@1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What the child is to do.

    Args:
        task: `time` the probes in the folder, or `prepare` them for the precision.
        settings: the target.
        probes: names of the models in the folder, in the order in which they run; `single` ones use one thread.
        seconds: duration of timing, once everything is open.
        open_seconds: after so long nothing more is opened.
        plain: probes that cannot be had in the precision: in a network that can, they run as they are.
        cpus: CPUs to be pinned to; empty leaves the scheduler free.
    """

    task: str
    settings: ProfileSettings
    probes: tuple[str, ...]
    seconds: float
    open_seconds: float
    plain: tuple[str, ...] = ()
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """Samples in ms of each probe, why others have none, the sentinel's latency in ms before and after.

    After a preparation, `missing` tells which probes stay as they are.
    """

    samples_ms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    sentinel_ms: tuple[float, ...] = ()


def answer(request: ProbeRequest, folder: Path) -> ProbeAnswer | Failure:
    """Time the probes in the folder, or prepare them."""
    try:
        return _prepare(request, folder) if request.task == "prepare" else _bench(request, folder)
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is reported
        return failure_of(error, request.settings)


def _prepare(request: ProbeRequest, folder: Path) -> ProbeAnswer:
    backend, missing = get_backend(request.settings.backend), {}
    for name in request.probes:
        path = folder / f"{name}.onnx"
        try:
            path.write_bytes(backend.prepare(path.read_bytes(), request.settings))
        except InvalidModelError as error:
            missing[name] = str(error)
    sentinel = folder / SENTINEL_FILE
    sentinel.write_bytes(prepared_sentinel(sentinel.read_bytes(), type(backend), request.settings.precision))
    return ProbeAnswer(missing=missing)


def _bench(request: ProbeRequest, folder: Path, clock: Clock = time.perf_counter_ns) -> ProbeAnswer:
    backend, opening = get_backend(request.settings.backend), folder / OPENING_FILE
    gc.disable()  # a collection in the middle of a sample would be the probe's fault
    before = _sentinel_ms(request, folder)
    with ExitStack() as sessions:
        opened = _Opened(sessions, backend, clock)
        deadline = clock() + request.open_seconds * 1e9
        for name in request.probes:
            opening.write_text(name)
            opened.open(name, folder, _settings_of(name, request), late=clock() >= deadline)
        opening.unlink(missing_ok=True)
        samples = run_rounds(opened.ready, opened.expected_ms, seconds=request.seconds, clock=clock)
    return ProbeAnswer(
        samples_ms={name: tuple(taken) for name, taken in samples.items()},
        missing=opened.missing,
        sentinel_ms=(before, _sentinel_ms(request, folder)),
    )


def _sentinel_ms(request: ProbeRequest, folder: Path) -> float:
    """The sentinel's latency with one thread on one CPU: with more it would vary on a steady host."""
    model, backend = (folder / SENTINEL_FILE).read_bytes(), get_backend(request.settings.backend)
    _pin(request.cpus[-1:])
    taken_ms = sentinel_latency_ms(model, backend, replace(request.settings, threads=1))
    _pin(request.cpus)
    return taken_ms


def _pin(cpus: Sequence[int]) -> None:
    if cpus:
        pin(frozenset(cpus))


def _settings_of(name: str, request: ProbeRequest) -> ProfileSettings:
    probe, alone, _ = name.partition("@")
    settings = replace(request.settings, threads=1) if alone else request.settings
    return replace(settings, precision=AS_GIVEN) if probe in request.plain else settings


class _Opened:
    """Sessions of the probes that this backend can run, warm; and why it cannot run the others."""

    def __init__(self, sessions: ExitStack, backend: Backend, clock: Clock) -> None:
        self._sessions, self._backend, self._clock = sessions, backend, clock
        self._noise = np.random.default_rng(0).standard_normal(NOISE_ELEMENTS, dtype=np.float32)
        self.ready: dict[str, tuple[Session, Feeds]] = {}
        self.expected_ms: dict[str, float] = {}
        self.missing: dict[str, str] = {}

    def open(self, name: str, folder: Path, settings: ProfileSettings, *, late: bool) -> None:
        try:
            if late:
                raise TimeoutError("The probes before it took all the time that there was.")
            model = (folder / f"{name.partition('@')[0]}.onnx").read_bytes()
            session = self._sessions.enter_context(self._backend.open(model, settings))
            feeds = {spec.name: self._values(spec) for spec in session.inputs}
            self._add(name, session, feeds)
        except BackendUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises costs this probe alone
            plain = isinstance(error, LatcastError | TimeoutError)
            self.missing[name] = str(error) if plain else f"{type(error).__name__}: {error}"

    def _add(self, name: str, session: Session, feeds: Feeds) -> None:
        expected_ms = warm_up(session, feeds, self._clock)
        if expected_ms > LONGEST_RUN_MS:
            raise TimeoutError(f"One run takes {expected_ms:.0f} ms, too long to be repeated.")
        self.expected_ms[name], self.ready[name] = expected_ms, (session, feeds)

    def _values(self, spec: TensorSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Random values; memory of its own, since a page of zeros would be shared and never leave the cache."""
        return np.resize(self._noise, spec.shape or ()).astype(spec.dtype, copy=False)


if __name__ == "__main__":
    answer_one(ProbeRequest, answer)
