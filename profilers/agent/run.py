"""The device agent: lease a job, measure, report. It knows where jobs come from only as a `JobSource`."""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from latcast.schema import (
    Device,
    Failure,
    Graph,
    GraphHash,
    InputError,
    InvalidFeedsError,
    InvalidModelError,
    LatcastError,
    Measurement,
)
from latcast.schema.figures import duration
from profilers.agent.backoff import Backoff
from profilers.agent.jobs import AgentRefusedError, Job, JobSource, ReportRefusedError, SourceUnavailableError
from profilers.agent.outbox import Outbox
from profilers.agent.schedule import Schedule
from profilers.agent.spool import Spool
from profilers.caching import Cache
from profilers.host.private_folder import sweep_left_folders
from profilers.onnx_graph import load_graph
from profilers.progress import no_progress
from profilers.timing.sandbox import measure

__all__ = ["AgentEvent", "run_agent"]

log = logging.getLogger(__name__)

T = TypeVar("T")

CACHE_BYTES = 256 * 2**20
HEARTBEATS_PER_LEASE = 3
PAUSE_S = 15.0
"""So often an agent looks whether its schedule lets it work."""
HEARTBEAT_JOIN_S = 1.0
"""A heartbeat that hangs in the network may end later: it does no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """Something that those who watch an agent may want to show.

    Args:
        kind: `leased`, `progress`, `measured`, `failed`, `abandoned`, `kept`, `away`, `back` or `paused`.
        message: one line for people.
        job: the job that it is about, if any.
        share: how much of the job is done, 0–1.
        measurement: what was measured, on `measured`.
    """

    kind: str
    message: str
    job: Job | None = None
    share: float = 0.0
    measurement: Measurement | None = None


OnEvent = Callable[[AgentEvent], None]
Measure = Callable[..., Measurement]


class _AbandonedError(Exception):
    """The lease is lost, or the agent has to stop: the measurement is not wanted any more."""


def run_agent(
    source: JobSource,
    *,
    device: Device,
    backends: Collection[str],
    stop: Event,
    on_event: OnEvent | None = None,
    spool: Path | None = None,
    schedule: Schedule | None = None,
    measure: Measure = measure,
) -> None:
    """Work until `stop` is set: lease a job, measure its graph, report; pause longer and longer while it is away.

    Whatever the source does, but refuse the agent, the agent goes on, and a measurement is given up only when it is
    acknowledged, or when the source says that it will never take it.

    Args:
        source: jobs and reports; see `JobSource`.
        device: this machine.
        backends: names of the backends that may be used here.
        stop: ends the agent. A measurement in progress ends with its current process, and its job is given back.
        on_event: called with what happens, from this thread only.
        spool: folder for results that are not yet acknowledged; they survive the agent's death there, and are
            reported before any new job is taken.
        schedule: when new jobs are taken; always without one. Reports go out at any time.
        measure: `profilers.timing.sandbox.measure`, or what a test puts in its place.

    Raises:
        AgentRefusedError: the source refuses this agent for good, for example because its key was revoked. Results
            that were not acknowledged are in the spool.
    """
    sweep_left_folders()
    _Agent(
        source=source,
        device=device,
        backends=backends,
        stop=stop,
        on_event=on_event or no_progress,
        outbox=Outbox(None if spool is None else Spool(spool)),
        schedule=schedule or Schedule(),
        measure=measure,
    ).run()


def _stage_of(error: LatcastError) -> str:
    if isinstance(error, InvalidFeedsError):
        return "feeds"
    return "run" if isinstance(error, InputError) else "internal"


@dataclass(kw_only=True)
class _Agent:
    source: JobSource
    device: Device
    backends: Collection[str]
    stop: Event
    on_event: OnEvent
    outbox: Outbox
    schedule: Schedule
    measure: Measure

    def __post_init__(self) -> None:
        self._models: Cache[GraphHash, bytes] = Cache(CACHE_BYTES, weigh=len)

    def run(self) -> None:
        paused = ""
        while not self.stop.is_set():
            why = self.schedule.why_not()
            if why and not paused:
                self._tell("paused", why)
            paused = why
            if why:
                self._persistently(self._deliver)
                self.stop.wait(PAUSE_S)
                continue
            job = self._persistently(self._next_job)
            if job is not None:
                began = time.monotonic()
                self._work(job)
                self.schedule.worked(time.monotonic() - began)

    def _next_job(self) -> Job | None:
        """A new job, after what is still to be reported."""
        self._deliver()
        return self.source.lease()

    def _work(self, job: Job) -> None:
        self._tell("leased", f"Measuring {job.graph[:14]} with {job.settings.backend}.", job)
        try:
            with self._heartbeats(job) as lost:
                report = self._measured(job, lost)
        except _AbandonedError as error:
            self._tell("abandoned", str(error), job)
            if self.stop.is_set():
                self._give_back(job, "The agent was stopped before it finished.")
            return
        self._report(job, report)

    def _measured(self, job: Job, lost: Event) -> Measurement | Failure:
        """What came out; whatever goes wrong here is a report, for the agent has to live on."""
        try:
            return self._try_to_measure(job, lost)
        except (_AbandonedError, AgentRefusedError):
            raise
        except InvalidModelError as error:
            return Failure(stage="load", message=str(error))
        except LatcastError as error:
            return Failure(stage=_stage_of(error), message=str(error))
        except Exception as error:  # an agent outlives whatever goes wrong in one job
            log.exception("measuring failed")
            return Failure(stage="internal", message=f"{type(error).__name__}: {error}")

    def _try_to_measure(self, job: Job, lost: Event) -> Measurement | Failure:
        def progress(share: float, what: str) -> None:
            if lost.is_set() or self.stop.is_set():
                why = "The lease was lost." if lost.is_set() else "The agent was stopped."
                raise _AbandonedError(why)
            self.on_event(AgentEvent(kind="progress", message=what, job=job, share=share))

        if job.settings.backend not in self.backends:
            offered = ", ".join(sorted(self.backends)) or "none"
            message = f"This agent does not offer the backend {job.settings.backend!r}; it has {offered}."
            return Failure(stage="unavailable", message=message)
        model = self._persistently(lambda: self._fetch(job.graph))
        if model is None:
            raise _AbandonedError("The agent was stopped.")
        graph = _checked_graph(model, job.graph)
        measurement = self.measure(model, device=self.device, settings=job.settings, feeds=job.feeds or None,
                                    graph=graph, progress=progress)  # fmt: skip
        if measurement.failure is None:  # else the service may get a better one
            self._models.put(job.graph, model)
        return measurement.failure or measurement

    @contextmanager
    def _heartbeats(self, job: Job) -> Iterator[Event]:
        """Prolong the lease in a thread; the event that is yielded is set once the lease is lost."""
        lost, done = Event(), Event()

        def beat() -> None:
            while not done.wait(job.lease_seconds / HEARTBEATS_PER_LEASE) and not lost.is_set():
                try:
                    if not self.source.heartbeat(job):
                        lost.set()
                except AgentRefusedError:
                    lost.set()  # the next call of the agent's own thread is refused, too, and ends it
                except Exception as error:  # noqa: BLE001 - the next beat may be answered
                    log.warning("heartbeat failed: %s", error)

        thread = Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            done.set()
            thread.join(HEARTBEAT_JOIN_S)

    def _report(self, job: Job, report: Measurement | Failure) -> None:
        """Report until it finds its end, or the agent has to stop; measurements then stay in the spool."""
        if isinstance(report, Failure):
            self._tell("failed", f"{report.stage}: {report.message}", job)
        else:
            summary = report.summary
            text = duration(summary.median_ms) if summary else "no samples"
            self.on_event(AgentEvent(kind="measured", message=text, job=job, share=1.0, measurement=report))
        self.outbox.put(job, report)
        self._persistently(self._deliver)

    def _deliver(self) -> None:
        self.outbox.deliver(self._send, put_off=self._put_off)

    def _send(self, job: Job, report: Measurement | Failure) -> None:
        try:
            if isinstance(report, Failure):
                self.source.failure(job, report)
            else:
                self.source.result(job, report)
        except ReportRefusedError as error:
            self._tell("abandoned", f"The report was refused: {error}", job)
            if isinstance(report, Measurement):
                self._give_back(job, f"The measurement was refused: {error}")

    def _put_off(self, job: Job, why: str) -> None:
        self._tell("kept", f"{why} The report is sent again later.", job)

    def _give_back(self, job: Job, why: str) -> None:
        """Tell the source, once, that the job is free again, so that it need not wait for the lease to run out."""
        try:
            self.source.failure(job, Failure(stage="internal", message=why))
        except LatcastError as error:
            log.info("the job could not be given back: %s", error)

    def _persistently(self, call: Callable[[], T]) -> T | None:
        """What `call` returns, tried again with growing pauses while the source is away.

        It is tried once even when we have to stop: a result that is there deserves an attempt. None if that failed.
        """
        backoff, away = Backoff(), False
        while True:
            try:
                answer = call()
            except SourceUnavailableError as error:
                away, pause_s = True, backoff.pause_s()
                self._tell("away", f"{error} Trying again in {pause_s:.1f} s.")
                if self.stop.wait(pause_s):
                    return None
            else:
                if away:
                    self._tell("back", "The service answers again.")
                return answer

    def _fetch(self, graph: GraphHash) -> bytes:
        """A graph's model; those that were measured are kept, as the jobs of an adaptation come back to them."""
        return self._models.get(graph) or self.source.model(graph)

    def _tell(self, kind: str, message: str, job: Job | None = None) -> None:
        self.on_event(AgentEvent(kind=kind, message=message, job=job))


def _checked_graph(model: bytes, wanted: GraphHash) -> Graph:
    graph = load_graph(model)
    if graph.hash != wanted:
        raise InvalidModelError(f"The model that was fetched has the hash {graph.hash}, but the job is about {wanted}.")
    return graph
