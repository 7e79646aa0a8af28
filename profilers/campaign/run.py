"""Runs a campaign: turns over the targets, each going on in the common sequence of steps where it stopped."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from latcast.schema import (
    Architecture,
    Device,
    Failure,
    GraphHash,
    InputError,
    LatcastError,
    Measurement,
    Microbench,
    ProfileSettings,
    Target,
    TargetId,
)
from profilers.backends import get_backend
from profilers.backends.target_settings import target_for
from profilers.campaign.log import CampaignLog, Check, Note, Row, is_careful, read_log
from profilers.campaign.process import MeasuringProcess
from profilers.campaign.steps import Recipe, Step, family_fits, steps
from profilers.host.device import describe_device
from profilers.host.environment import EnvironmentReader
from profilers.host.exclusive import alone_on_this_host
from profilers.microbench import run_microbench
from profilers.progress import no_progress
from profilers.search_spaces import get_space
from profilers.timing.sandbox import measure

__all__ = ["Report", "Tally", "run_campaign", "tallies"]

CAREFUL = ProfileSettings(processes=2, max_seconds=0.4, warmup_seconds=0.3, timeout_s=60)
QUICK = ProfileSettings(
    processes=1, min_samples=8, max_samples=60, max_seconds=0.08, warmup_seconds=0.03, stable_iqr=0.1, timeout_s=20,
    sentinel=False,
)  # fmt: skip
TURN_STEPS = 45
"""Of one target, before another has its turn: 10 to 30 s."""
CHECK_STEPS = 10
"""Between two readings of the sentinel."""
MOST_PROFILING_SECONDS = 1.0
MICROBENCH_SECONDS = 20.0
"""Where less is left, microbenchmarks wait for the next run of the campaign."""

Key = tuple[TargetId, Architecture, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a target has.

    Args:
        target: it.
        settings: that belong to it.
        networks, kernels: graphs measured, without repetitions and failures.
        failures: rows without a latency.
        described: there are microbenchmarks.
    """

    target: Target
    settings: ProfileSettings
    networks: int = 0
    kernels: int = 0
    failures: int = 0
    described: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Something that happened, for whoever watches.

    Args:
        message: one line for people.
        rows: measured since the campaign began or went on.
        share: of the time, 0–1.
    """

    message: str
    rows: int
    share: float


OnReport = Callable[[Report], None]


def run_campaign(
    folder: Path,
    targets: Sequence[ProfileSettings],
    recipe: Recipe,
    *,
    seconds: float,
    again: bool = False,
    describe: bool = True,
    on_report: OnReport | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Measure until the time is over; what the folder has already is not measured again, unless `again` says so.

    Args:
        folder: of the campaign; may be a new one, or one whose process was killed.
        targets: as `profilers.targets.local_targets` gives them. Each target's turn comes when it is the one that is
            the least far in the sequence, so that all of them have the same graphs whenever the campaign ends. One that
            cannot even run the sentinel is left out.
        recipe: what to draw; another one in the same folder adds to what is there.
        seconds: after that long nothing new is begun.
        again: instead of drawing, measure what the folder has of each target once more, in random order, what a steady
            machine measured least often first. Speed drifts, so measurements of different hours say more.
        describe: run the microbenchmarks of targets that have none.
        on_report: told what happens.
        clock: seconds that never go back.

    Returns:
        How many rows are new.

    Raises:
        InputError: a recipe that nothing fits.
    """
    with CampaignLog(folder) as log:
        run = _Run(
            log=log,
            targets=targets,
            recipe=recipe,
            again=again,
            deadline=clock() + seconds,
            describe=describe,
            on_report=on_report or no_progress,
            clock=clock,
        )
        return run.run(folder)


def tallies(folder: Path, targets: Sequence[ProfileSettings]) -> list[Tally]:
    """What the campaign in this folder has of these targets so far; nothing where there is no log yet."""
    device = describe_device()
    found = {target_for(device, settings).id: settings for settings in targets}
    counts: dict[TargetId, Counter[str]] = {name: Counter() for name in found}
    seen: set[Key] = set()
    for entry in read_log(folder, runs=False) if CampaignLog(folder).path.exists() else ():
        if isinstance(entry, Note) and entry.target.id in counts:
            counts[entry.target.id]["described"] += entry.microbench is not None
        elif isinstance(entry, Row) and entry.measurement.target.id in counts and _key(entry) not in seen:
            seen.add(_key(entry))
            counts[entry.measurement.target.id][_class(entry)] += 1
    return [
        Tally(
            target=target_for(device, settings),
            settings=settings,
            networks=counts[name]["network"],
            kernels=counts[name]["kernel"],
            failures=counts[name]["failure"],
            described=bool(counts[name]["described"]),
        )
        for name, settings in found.items()
    ]


def _class(row: Row) -> str:
    if row.measurement.failure is not None:
        return "failure"
    return "kernel" if row.architecture.space == "kernels" else "network"


def _key(row: Row) -> Key:
    return (row.measurement.target.id, row.architecture, is_careful(row))


class _Sequence:
    """The steps, drawn once for all targets as far as somebody asked."""

    def __init__(self, drawn: Iterator[Step]) -> None:
        self._drawn, self._known = drawn, list[Step]()

    def __getitem__(self, place: int) -> Step:
        self._known.extend(islice(self._drawn, max(0, place + 1 - len(self._known))))
        return self._known[place]


class _Lane:
    """One target: its settings and how far it is."""

    def __init__(self, settings: ProfileSettings, device: Device) -> None:
        self.settings, self.target = settings, target_for(device, settings)
        self.place, self.noted, self.described = 0, False, False
        self.measured: Counter[Architecture] = Counter()  # while the machine was steady

    @property
    def quick(self) -> ProfileSettings:
        """For the worker: without kernels where the runtime's profiler would take longer than all the rest."""
        affordable = get_backend(self.settings.backend).profiling_seconds <= MOST_PROFILING_SECONDS
        return replace(self.settings_for(QUICK), kernels=affordable)

    def settings_for(self, manner: ProfileSettings) -> ProfileSettings:
        """The target's settings, measured in this manner."""
        own = self.settings
        return replace(manner, backend=own.backend, precision=own.precision, threads=own.threads, options=own.options)


class _Run:
    def __init__(
        self,
        *,
        log: CampaignLog,
        targets: Sequence[ProfileSettings],
        recipe: Recipe,
        again: bool,
        deadline: float,
        describe: bool,
        on_report: OnReport,
        clock: Callable[[], float],
    ) -> None:
        self._log, self._deadline, self._describe, self._clock = log, deadline, describe, clock
        self._recipe, self._again = recipe, again
        self._on_report, self._device, self._begun = on_report, describe_device(), clock()
        self._lanes = [_Lane(settings, self._device) for settings in targets]
        self._steps = _Sequence(steps(recipe))
        self._done: Counter[Key] = Counter()
        self._rows = 0

    def run(self, folder: Path) -> int:
        self._remember(folder)
        while self._lanes and self._left_s() > 0:
            lane = min(self._lanes, key=lambda lane: lane.place)
            self._introduce(lane)
            try:
                self._take_turn(lane)
            except LatcastError as error:
                self._tell(lane, f"left out: {error}")
                self._lanes.remove(lane)
        return self._rows

    def _remember(self, folder: Path) -> None:
        lanes = {lane.target.id: lane for lane in self._lanes}
        graphs: dict[GraphHash, Architecture] = {}
        for entry in read_log(folder, runs=False):
            if isinstance(entry, Row):
                self._done[_key(entry)] += 1
                lane = lanes.get(entry.measurement.target.id)
                if lane and entry.measurement.failure is None:
                    lane.measured[entry.architecture] += 1
                    graphs[entry.measurement.graph] = entry.architecture
            elif isinstance(entry, Check) and entry.drifted and entry.target in lanes:
                lanes[entry.target].measured.subtract(graphs[name] for name in entry.graphs if name in graphs)
            elif isinstance(entry, Note) and entry.target.id in lanes:
                lane = lanes[entry.target.id]
                lane.noted, lane.described = True, lane.described or entry.microbench is not None

    def _left_s(self) -> float:
        return self._deadline - self._clock()

    def _introduce(self, lane: _Lane) -> None:
        """Note what is known of the target, with its microbenchmarks where there is time for them."""
        timely = self._describe and not lane.described and self._left_s() > MICROBENCH_SECONDS
        if lane.noted and not timely:
            return
        lane.noted, lane.described = True, lane.described or timely
        self._tell(lane, "microbenchmarks" if timely else "begins")
        versions = EnvironmentReader().read().versions
        found = self._microbench(lane) if timely else None
        self._log.append(Note(target=lane.target, device=self._device, versions=versions, microbench=found))

    def _microbench(self, lane: _Lane) -> Microbench | None:
        try:
            return run_microbench(lane.settings, device=self._device)
        except LatcastError as error:
            self._tell(lane, f"no microbenchmarks: {error}")
            return None

    def _take_turn(self, lane: _Lane) -> None:
        """The target's next steps that are not done: the quick ones in one worker, then the careful ones."""
        turn = self._once_more(lane) if self._again else self._undone(lane)
        self._quick(lane, [step.architecture for step in turn if not step.careful])
        for step in turn:
            if step.careful and self._left_s() > 0:
                self._tell(lane, step.architecture.text)
                self._keep(lane, step.architecture, self._carefully(lane, step.architecture))

    def _undone(self, lane: _Lane) -> list[Step]:
        turn: list[Step] = []
        while len(turn) < TURN_STEPS:
            step = self._steps[lane.place]
            lane.place += 1
            if self._done[lane.target.id, step.architecture, step.careful] <= step.repeat:
                turn.append(step)
        return turn

    def _once_more(self, lane: _Lane) -> list[Step]:
        """Of what was measured least often while the machine was steady, a random choice.

        Raises:
            InputError: nothing that fits the recipe was measured on this target.
        """
        known = [architecture for architecture in lane.measured if family_fits(architecture, self._recipe.only)]
        if not known:
            raise InputError(f"Nothing like {', '.join(self._recipe.only)} was measured that could be measured again.")
        rng = np.random.default_rng([self._recipe.seed, lane.place])
        order = sorted(rng.permutation(len(known)).tolist(), key=lambda place: lane.measured[known[place]])
        lane.place += TURN_STEPS
        return [Step(architecture=known[place]) for place in order[:TURN_STEPS]]

    def _carefully(self, lane: _Lane, architecture: Architecture) -> Measurement:
        settings = lane.settings_for(CAREFUL)
        try:
            model = get_space(architecture.space).to_onnx(architecture)
            return measure(model, device=self._device, settings=settings)
        except LatcastError as error:
            failure = Failure(stage="load", message=str(error))
            return Measurement(graph="", target=lane.target, settings=settings, failure=failure)

    def _quick(self, lane: _Lane, wanted: Sequence[Architecture]) -> None:
        with alone_on_this_host(), MeasuringProcess(self._device, lane.quick) as worker:
            before_ms = worker.sentinel_ms()
            for part in _parts(wanted, CHECK_STEPS):
                before_ms, disturbed = self._measure_part(lane, worker, part, before_ms)
                if disturbed:
                    self._tell(lane, "the host changed its speed: measuring again")
                    before_ms, _ = self._measure_part(lane, worker, disturbed, before_ms)

    def _measure_part(
        self, lane: _Lane, worker: MeasuringProcess, part: Sequence[Architecture], before_ms: float
    ) -> tuple[float, Sequence[Architecture]]:
        """The sentinel's latency after these graphs, and those that were measured while it drifted."""
        measured: dict[Architecture, GraphHash] = {}
        for architecture in part:
            if self._left_s() <= 0:
                break
            self._tell(lane, architecture.text)
            measurement = worker.measure(architecture)
            self._keep(lane, architecture, measurement)
            if measurement.failure is None:
                measured[architecture] = measurement.graph
        if not measured:
            return before_ms, ()
        after_ms, graphs = worker.sentinel_ms(), tuple(measured.values())
        check = Check(target=lane.target.id, before_ms=before_ms, after_ms=after_ms, graphs=graphs)
        self._log.append(check)
        if not check.drifted:
            return after_ms, ()
        lane.measured.subtract(tuple(measured))
        return after_ms, tuple(measured)

    def _keep(self, lane: _Lane, architecture: Architecture, measurement: Measurement) -> None:
        row = Row(architecture=architecture, measurement=measurement)
        self._log.append(row)
        self._done[_key(row)] += 1
        if measurement.failure is None:
            lane.measured[architecture] += 1
        self._rows += 1

    def _tell(self, lane: _Lane, what: str) -> None:
        passed = self._clock() - self._begun
        share = min(1.0, passed / max(1e-9, passed + self._left_s()))
        self._on_report(Report(message=f"{lane.target.label}: {what}", rows=self._rows, share=share))


def _parts(wanted: Sequence[Architecture], size: int) -> Iterator[Sequence[Architecture]]:
    return (wanted[start : start + size] for start in range(0, len(wanted), size))
