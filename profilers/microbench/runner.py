"""Runs the microbenchmarks of a target in child processes, and puts together what they say."""

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median

from latcast.schema import (
    Device,
    Failure,
    LatcastError,
    Microbench,
    ProfileSettings,
)
from profilers.backends import get_backend
from profilers.backends.target_settings import target_for
from profilers.host.cpus import cpus_for, refuse_more_threads_than_cpus
from profilers.host.device import describe_device
from profilers.host.environment import EnvironmentReader, stopped_by_quota
from profilers.host.exclusive import alone_on_this_host
from profilers.host.one_shot import OneShotChildren
from profilers.host.private_folder import PrivateFolder
from profilers.microbench.child import OPENING_FILE, ProbeAnswer, ProbeRequest, single
from profilers.microbench.entries import entries_of, missing_entries
from profilers.microbench.probes import PROBES, THREADED, probe_model
from profilers.progress import Progress, no_progress
from profilers.timing.child import SENTINEL_FILE
from profilers.timing.interleaved import quiet_ms
from profilers.timing.limits import limits_of
from profilers.timing.sandbox import PROCESS_SPREAD
from profilers.timing.sentinel import DRIFT, drift, sentinel_model

__all__ = ["microbench", "run_microbench"]

PROCESSES = 5
TIMED_SECONDS = 1.1
"""Timing of each process; opening and warming up come on top of it."""
OPEN_SECONDS = 4.0
TOTAL_SECONDS = 18.0
"""No process begins that would end later, judged by those before it; one that hangs is stopped then."""


def microbench(settings: ProfileSettings) -> Mapping[str, float]:
    """The descriptor of a target of this machine, as `DeviceEvidence.microbench` has it; see `run_microbench`."""
    return run_microbench(settings).values


def run_microbench(
    settings: ProfileSettings, *, device: Device | None = None, progress: Progress | None = None
) -> Microbench:
    """Time all probes on a target of this machine; takes 10 to 18 seconds once no other measurement runs.

    Args:
        settings: backend, precision, threads and options; memory limit and seed count too.
        device: this machine, where it is known already.
        progress: called before and after each process.

    Raises:
        LatcastError: not one probe could be timed; says why.
        UnknownNameError: no such backend.
        InputError: more threads than CPUs.
    """
    device = device or describe_device()
    refuse_more_threads_than_cpus(settings.threads, device)
    target, host = target_for(device, settings), EnvironmentReader()
    (progress or no_progress)(0.0, "waiting for other measurements")
    with PrivateFolder() as folder, alone_on_this_host():
        bench = _Bench(folder, settings)
        bench.prepare()
        before, start = host.read(), time.monotonic()
        bench.run(progress or no_progress, start + TOTAL_SECONDS)
        after = host.read()
    values, spread = _combine([answer.samples_ms for answer in bench.answers], settings.threads)
    return Microbench(
        target=target,
        values=values,
        spread=spread,
        missing=missing_entries(values, bench.reasons),
        before=before,
        after=after,
        noisy=bench.noisy or median(spread.values()) > PROCESS_SPREAD or stopped_by_quota(after),
        sentinel_ms=tuple(bench.sentinel_ms),
        seconds=time.monotonic() - start,
    )


def _combine(
    processes: Sequence[Mapping[str, Sequence[float]]], threads: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Entries of all processes together, and by how much these differ.

    Args:
        processes: samples in ms of each probe.
        threads: threads of the target.

    Returns:
        (value by entry, (highest − lowest) / value of the processes' own values by entry).
    """
    times = [{name: quiet_ms(samples) for name, samples in process.items()} for process in processes]
    names = {name: None for process in times for name in process}  # in order
    together = {name: quiet_ms([process[name] for process in times if name in process]) for name in names}
    values = entries_of(together, threads=threads)
    single_values = [entries_of(process, threads=threads) for process in times]
    by_entry = {name: [entries[name] for entries in single_values if name in entries] for name in values}
    return values, {name: (max(each) - min(each)) / values[name] for name, each in by_entry.items() if each}


@cache
def _models(seed: int) -> Mapping[str, bytes]:
    from profilers.onnx_graph import refill_weights

    return {probe.name: refill_weights(probe_model(probe), seed) for probe in PROBES}


class _Bench:
    """A private folder with the probes, the child processes that time them there, and what these said."""

    def __init__(self, folder: Path, settings: ProfileSettings) -> None:
        self._folder, self._settings = folder, settings
        self._children = OneShotChildren("profilers.microbench.child", ProbeAnswer, folder)
        self._deadline, self._longest_s = math.inf, 0.0
        self.answers: list[ProbeAnswer] = []
        self.reasons: dict[str, str] = {}
        self._fatal: set[str] = set()
        self._plain: tuple[str, ...] = ()
        self.sentinel_ms: list[float] = []
        self._disturbed, self._failure = 0, ""

    @property
    def noisy(self) -> bool:
        """Whether the host was busy, or changed its speed, during most processes."""
        return 2 * self._disturbed > len(self.answers)

    def prepare(self) -> None:
        """Write the probes, in the precision where they have to be prepared for it."""
        (self._folder / SENTINEL_FILE).write_bytes(sentinel_model())
        for name, model in _models(self._settings.seed).items():
            (self._folder / f"{name}.onnx").write_bytes(model)
        if self._settings.precision in get_backend(self._settings.backend).prepared_precisions:
            answer = self._ask("prepare", self._settings.timeout_s)
            self._plain = () if isinstance(answer, Failure) else tuple(answer.missing)

    def run(self, progress: Progress, deadline: float) -> None:
        """Time the probes until enough processes have answered or the time is over.

        Raises:
            LatcastError: nothing could be timed.
        """
        self._deadline = deadline
        while len(self.answers) < PROCESSES and self._has_time() and not self._failure:
            progress(len(self.answers) / PROCESSES, f"process {len(self.answers) + 1} of {PROCESSES}")
            self._one_more()
        if not any(answer.samples_ms for answer in self.answers):
            why = self._failure or next(iter(self.reasons.values()), "There was no time for it.")
            raise LatcastError(f"No microbenchmark could be timed. {why}")
        progress(1.0, "done")

    def _has_time(self) -> bool:
        """Whether another process like those before it would end in time."""
        return time.monotonic() + self._longest_s < self._deadline

    def _one_more(self) -> None:
        """One more process; one that was disturbed is run again, unless that was in vain before."""
        answer = self._child()
        if _disturbed(answer) and not self._disturbed and self._has_time():
            answer = self._child()
        self._disturbed += _disturbed(answer)
        if not isinstance(answer, Failure):
            self.answers.append(answer)

    def _child(self) -> ProbeAnswer | Failure:
        """What a fresh process answers."""
        started = time.monotonic()
        answer = self._ask("time", max(1.0, round(self._deadline - started, 1)))
        if not isinstance(answer, Failure):
            self._longest_s = max(self._longest_s, time.monotonic() - started)
            self.reasons.update(answer.missing)
            self.sentinel_ms += answer.sentinel_ms
        return answer

    def _ask(self, task: str, timeout_s: float) -> ProbeAnswer | Failure:
        opening = self._folder / OPENING_FILE
        opening.unlink(missing_ok=True)
        answer = self._children.ask(self._request(task), limits_of(self._settings, timeout_s=timeout_s))
        if isinstance(answer, Failure):
            self._blame(answer, opening)
        return answer

    def _blame(self, failure: Failure, opening: Path) -> None:
        """Leave the probe out that took the process down; without one all is over."""
        if failure.stage == "unavailable" or not opening.exists():
            self._failure = failure.message
            return
        probe = opening.read_text()
        self._fatal.add(probe)
        self.reasons[probe] = failure.message

    def _request(self, task: str) -> ProbeRequest:
        names = [probe.name for probe in PROBES]
        if self._settings.threads > 1 and task == "time":
            names += [single(name) for name in THREADED]
        return ProbeRequest(
            task=task,
            settings=self._settings,
            probes=tuple(name for name in names if name not in self._fatal),
            seconds=TIMED_SECONDS,
            open_seconds=OPEN_SECONDS,
            plain=self._plain,
            cpus=cpus_for(self._settings.threads),
        )


def _disturbed(answer: ProbeAnswer | Failure) -> bool:
    """Whether the host changed its speed meanwhile."""
    if isinstance(answer, Failure):
        return False
    return len(answer.sentinel_ms) == 2 and drift(*answer.sentinel_ms) > DRIFT
