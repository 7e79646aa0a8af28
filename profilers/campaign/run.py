"""Runs a campaign: turns over the targets, each going on in the common sequence of steps where it stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latcast.schema import (
    Architecture,
    Failure,
    GraphHash,
    LatcastError,
    Measurement,
    Microbench,
    ProfileSettings,
)
from profilers.campaign.lane import Lane
from profilers.campaign.log import CampaignLog, Check, Note, Row
from profilers.campaign.process import MeasuringProcess
from profilers.campaign.steps import Recipe
from profilers.campaign.turns import Turns
from profilers.host.device import describe_device
from profilers.host.environment import EnvironmentReader
from profilers.host.exclusive import alone_on_this_host
from profilers.microbench import run_microbench
from profilers.progress import no_progress
from profilers.search_spaces import get_space
from profilers.timing.sandbox import measure

__all__ = ["Report", "run_campaign"]

CHECK_STEPS = 10
"""Graphs between two readings of the sentinel."""
MICROBENCH_SECONDS = 20.0
"""Where less is left, microbenchmarks wait for the next run of the campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Something that happened, for those who watch.

    Args:
        message: one line for people.
        rows: measured since the campaign began or went on.
        share: share of the time that has passed, 0–1.
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
        folder: folder of the campaign; may be a new one, or one whose process was killed.
        targets: settings, as `profilers.targets.local_targets` gives them. Each target's turn comes when it is the
            least far in the sequence, so that all of them have the same graphs whenever the campaign ends. One that
            cannot even run the sentinel is left out.
        recipe: what to draw; another one in the same folder adds to what is there.
        seconds: after that long nothing new is begun.
        again: instead of drawing, measure what the folder has of each target once more, in random order, what a steady
            machine measured least often first. Speed drifts, so measurements of different hours say more.
        describe: run the microbenchmarks of targets that have none.
        on_report: called with what happens.
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
        self._again = again
        self._on_report, self._device, self._begun = on_report, describe_device(), clock()
        self._lanes = [Lane(settings, self._device) for settings in targets]
        self._turns = Turns(recipe)
        self._rows = 0

    def run(self, folder: Path) -> int:
        self._turns.remember(folder, self._lanes)
        while self._lanes and self._left_s() > 0:
            lane = min(self._lanes, key=lambda lane: lane.place)
            self._introduce(lane)
            try:
                self._take_turn(lane)
            except LatcastError as error:
                self._tell(lane, f"left out: {error}")
                self._lanes.remove(lane)
        return self._rows

    def _left_s(self) -> float:
        return self._deadline - self._clock()

    def _introduce(self, lane: Lane) -> None:
        """Note what the target is, with its microbenchmarks where there is time for them."""
        timely = self._describe and not lane.described and self._left_s() > MICROBENCH_SECONDS
        if lane.noted and not timely:
            return
        lane.noted, lane.described = True, lane.described or timely
        self._tell(lane, "microbenchmarks" if timely else "begins")
        versions = EnvironmentReader().read().versions
        microbench = self._microbench(lane) if timely else None
        self._log.append(Note(target=lane.target, device=self._device, versions=versions, microbench=microbench))

    def _microbench(self, lane: Lane) -> Microbench | None:
        try:
            return run_microbench(lane.settings, device=self._device)
        except LatcastError as error:
            self._tell(lane, f"no microbenchmarks: {error}")
            return None

    def _take_turn(self, lane: Lane) -> None:
        """The target's next steps that are not done: the quick ones in one process, then the careful ones."""
        turn = self._turns.once_more(lane) if self._again else self._turns.undone(lane)
        self._quick(lane, [step.architecture for step in turn if not step.careful])
        for step in turn:
            if step.careful and self._left_s() > 0:
                self._tell(lane, step.architecture.text)
                self._keep(lane, step.architecture, self._carefully(lane, step.architecture))

    def _carefully(self, lane: Lane, architecture: Architecture) -> Measurement:
        settings = lane.careful
        try:
            model = get_space(architecture.space).to_onnx(architecture)
            return measure(model, device=self._device, settings=settings)
        except LatcastError as error:
            failure = Failure(stage="load", message=str(error))
            return Measurement(graph="", target=lane.target, settings=settings, failure=failure)

    def _quick(self, lane: Lane, wanted: Sequence[Architecture]) -> None:
        with alone_on_this_host(), MeasuringProcess(self._device, lane.quick) as process:
            before_ms = process.sentinel_ms()
            for part in _parts(wanted, CHECK_STEPS):
                before_ms, disturbed = self._measure_part(lane, process, part, before_ms)
                if disturbed:
                    self._tell(lane, "the host changed its speed: measuring again")
                    before_ms, _ = self._measure_part(lane, process, disturbed, before_ms)

    def _measure_part(
        self, lane: Lane, process: MeasuringProcess, part: Sequence[Architecture], before_ms: float
    ) -> tuple[float, Sequence[Architecture]]:
        """The sentinel's latency after these graphs, and those that were measured while it drifted."""
        measured: dict[Architecture, GraphHash] = {}
        for architecture in part:
            if self._left_s() <= 0:
                break
            self._tell(lane, architecture.text)
            measurement = process.measure(architecture)
            self._keep(lane, architecture, measurement)
            if measurement.failure is None:
                measured[architecture] = measurement.graph
        if not measured:
            return before_ms, ()
        after_ms, graphs = process.sentinel_ms(), tuple(measured.values())
        check = Check(target=lane.target.id, before_ms=before_ms, after_ms=after_ms, graphs=graphs)
        self._log.append(check)
        if not check.drifted:
            return after_ms, ()
        lane.measured.subtract(tuple(measured))
        return after_ms, tuple(measured)

    def _keep(self, lane: Lane, architecture: Architecture, measurement: Measurement) -> None:
        row = Row(architecture=architecture, measurement=measurement)
        self._log.append(row)
        self._turns.add(lane, row)
        self._rows += 1

    def _tell(self, lane: Lane, what: str) -> None:
        passed = self._clock() - self._begun
        share = min(1.0, passed / max(1e-9, passed + self._left_s()))
        self._on_report(Report(message=f"{lane.target.label}: {what}", rows=self._rows, share=share))


def _parts(wanted: Sequence[Architecture], size: int) -> Iterator[Sequence[Architecture]]:
    return (wanted[start : start + size] for start in range(0, len(wanted), size))
