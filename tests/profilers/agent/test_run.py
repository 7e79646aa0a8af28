"""The agent against a source that the test scripts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from onnx import TensorProto, helper

from latcast.schema import (
    Device,
    Failure,
    Measurement,
    ProcessRun,
    ProfileSettings,
    Target,
    to_plain,
)
from profilers.agent import backoff, outbox
from profilers.agent import run as run_module
from profilers.agent.jobs import AgentRefusedError, Job, ReportRefusedError, SourceFailedError, SourceUnavailableError
from profilers.agent.run import AgentEvent, run_agent
from profilers.agent.schedule import Schedule
from profilers.agent.spool import Spool
from profilers.onnx_graph import load_graph

DEVICE = Device(fingerprint="f", name="here", machine="x86_64", processor="p", physical_cores=1, logical_cores=1,
                memory_bytes=2**30)  # fmt: skip


def relu() -> bytes:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (2,)) for n in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


MODEL = relu()
HASH = load_graph(MODEL).hash
JOB = Job(id="1", lease_token="secret", graph=HASH, settings=ProfileSettings(backend="fake"))
DONE = Measurement(graph=HASH, target=Target(device="f", backend="fake"), settings=JOB.settings,
                   runs=(ProcessRun(samples_ms=(1.0, 2.0)),))  # fmt: skip


class Source:
    """Leases the jobs it is given, then stops the agent; every call is written down, and may be made to fail."""

    def __init__(self, *jobs: Job, stop: Event) -> None:
        self.jobs, self.stop = list(jobs), stop
        self.calls: list[str] = []
        self.reports: list[tuple[str, Measurement | Failure]] = []
        self.errors: dict[str, list[Exception]] = {}
        self.beating = True
        self.beaten = Event()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    def lease(self) -> Job | None:
        self._called("lease")
        if not self.jobs:
            self.stop.set()
            return None
        return self.jobs.pop(0)

    def heartbeat(self, job: Job) -> bool:
        self.beaten.set()
        return self.beating

    def model(self, graph: str) -> bytes:
        self._called("model")
        return MODEL

    def result(self, job: Job, measurement: Measurement) -> None:
        self._called("result")
        self.reports.append((job.id, measurement))

    def failure(self, job: Job, failure: Failure) -> None:
        self._called("failure")
        self.reports.append((job.id, failure))


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(backoff, "LONGEST_PAUSE_S", 0.004)


def worked(source: Source, measure: Callable[..., Measurement] | None = None, **options: Any) -> list[AgentEvent]:
    events: list[AgentEvent] = []
    run_agent(source, device=DEVICE, backends=options.pop("backends", ["fake"]), stop=source.stop,
              on_event=events.append, measure=measure or (lambda model, **_: DONE), **options)  # fmt: skip
    return events


def test_jobs_are_measured_and_reported_and_a_model_is_fetched_once(stop: Event) -> None:
    seen: list[dict[str, Any]] = []

    def measure(model: bytes, **given: Any) -> Measurement:
        seen.append({"model": model, **given})
        given["progress"](0.5, "half")
        return DONE

    source = Source(JOB, replace(JOB, id="2"), stop=stop)
    events = worked(source, measure)
    assert source.reports == [("1", DONE), ("2", DONE)]
    assert source.calls.count("model") == 1
    assert (seen[0]["model"], seen[0]["settings"], seen[0]["graph"].hash) == (MODEL, JOB.settings, HASH)
    assert [event.kind for event in events] == ["leased", "progress", "measured"] * 2


def test_outside_of_its_schedule_an_agent_delivers_and_takes_nothing(
    stop: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "PAUSE_S", 0.001)
    Spool(tmp_path).keep(JOB.lease_token, {"job": to_plain(JOB), "measurement": to_plain(DONE)})
    source = Source(JOB, stop=stop)

    class OnceTooEarly(Schedule):
        def why_not(self) -> str:
            return "Too early." if not source.reports else ""

    events = worked(source, spool=tmp_path, schedule=OnceTooEarly())
    assert source.calls[:2] == ["result", "lease"]
    assert [event.kind for event in events][:2] == ["paused", "leased"]


def test_a_failed_measurement_is_reported_as_a_failure(stop: Event) -> None:
    failure = Failure(stage="crash", message="SIGSEGV")
    source = Source(JOB, stop=stop)
    worked(source, lambda model, **_: replace(DONE, runs=(), failure=failure))
    assert source.reports == [("1", failure)]


@pytest.mark.parametrize(
    ("job", "stage"),
    [
        (replace(JOB, settings=ProfileSettings(backend="tract")), "unavailable"),
        (replace(JOB, graph="g1-" + "0" * 64), "load"),
    ],
)
def test_jobs_that_cannot_be_done_fail_with_their_stage(job: Job, stage: str, stop: Event) -> None:
    source = Source(job, stop=stop)
    worked(source)
    ((_, report),) = source.reports
    assert isinstance(report, Failure)
    assert report.stage == stage


def test_a_mistake_in_the_agent_fails_one_job_and_not_the_agent(stop: Event) -> None:
    def measure(model: bytes, **given: Any) -> Measurement:
        raise ZeroDivisionError("oops")

    source = Source(JOB, replace(JOB, id="2"), stop=stop)
    worked(source, measure)
    assert source.reports == [(i, Failure(stage="internal", message="ZeroDivisionError: oops")) for i in "12"]


@pytest.mark.parametrize("call", ["lease", "model", "result"])
def test_while_the_service_is_away_every_call_is_tried_again(call: str, stop: Event) -> None:
    source = Source(JOB, stop=stop)
    source.errors[call] = [SourceUnavailableError("Nobody there.")] * 4
    events = worked(source)
    assert source.reports == [("1", DONE)]
    assert [event.kind for event in events if event.kind in ("away", "back")] == ["away"] * 4 + ["back"]


def test_a_refused_report_is_dropped_with_its_reason_and_the_agent_goes_on(stop: Event, tmp_path: Path) -> None:
    source = Source(JOB, replace(JOB, id="2", lease_token="other"), stop=stop)
    source.errors["result"] = [ReportRefusedError("This cannot be.")]
    events = worked(source, spool=tmp_path)
    refusal = Failure(stage="internal", message="The measurement was refused: This cannot be.")
    assert source.reports == [("1", refusal), ("2", DONE)]
    assert "abandoned" in [event.kind for event in events]
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_the_source_fails_at_waits_while_other_work_goes_on(
    stop: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE_S", 0.0)
    source = Source(JOB, replace(JOB, id="2", lease_token="other"), stop=stop)
    source.errors["result"] = [SourceFailedError("500 with text/html")]
    events = worked(source, spool=tmp_path)
    assert source.reports == [("2", DONE)]
    assert [event.job and event.job.id for event in events if event.kind == "kept"] == ["1"]
    assert len(list(tmp_path.iterdir())) == 1
    later = Source(stop=Event())
    worked(later, spool=tmp_path)
    assert later.reports == [("1", DONE)]
    assert list(tmp_path.iterdir()) == []


def test_a_short_failure_of_the_source_is_not_noticed(stop: Event) -> None:
    source = Source(JOB, stop=stop)
    source.errors["result"] = [SourceFailedError("500")] * 3
    source.errors["lease"] = [SourceFailedError("<html>")] * 3
    worked(source)
    assert source.reports == [("1", DONE)]


@pytest.mark.parametrize("call", ["lease", "model", "result"])
def test_a_revoked_key_ends_the_agent_and_its_results_stay(call: str, stop: Event, tmp_path: Path) -> None:
    source = Source(JOB, stop=stop)
    source.errors[call] = [AgentRefusedError("The key was revoked.")]
    with pytest.raises(AgentRefusedError, match="revoked"):
        worked(source, spool=tmp_path)
    assert source.reports == []
    assert len(list(tmp_path.iterdir())) == (call == "result")


def test_a_disk_that_takes_nothing_loses_no_result(
    stop: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "keep", full)
    source = Source(JOB, stop=stop)
    worked(source, spool=tmp_path)
    assert source.reports == [("1", DONE)]


def test_a_lost_lease_ends_the_measurement_and_nothing_is_reported(stop: Event) -> None:
    def measure(model: bytes, **given: Any) -> Measurement:
        while True:
            assert source.beaten.wait(10)
            given["progress"](0.1, "still at it")

    source = Source(replace(JOB, lease_seconds=0.01), stop=stop)
    source.beating = False
    events = worked(source, measure)
    assert source.reports == []
    assert events[-1].kind == "abandoned"


def test_a_stopped_agent_gives_its_job_back(stop: Event) -> None:
    def measure(model: bytes, **given: Any) -> Measurement:
        stop.set()
        given["progress"](0.1, "one more")
        raise AssertionError("not reached")

    source = Source(JOB, stop=stop)
    worked(source, measure)
    ((_, report),) = source.reports
    assert isinstance(report, Failure)
    assert report.stage == "internal"
    assert source.calls.count("lease") == 1


def test_a_result_that_is_there_when_the_agent_stops_is_still_reported(stop: Event) -> None:
    def measure(model: bytes, **given: Any) -> Measurement:
        stop.set()
        return DONE

    source = Source(JOB, stop=stop)
    worked(source, measure)
    assert source.reports == [("1", DONE)]


def test_an_unacknowledged_result_survives_the_agent(stop: Event, tmp_path: Path) -> None:
    source = Source(JOB, stop=stop)
    source.errors["result"] = [SourceUnavailableError("Nobody there.")]

    def measure(model: bytes, **given: Any) -> Measurement:
        stop.set()
        return DONE

    worked(source, measure, spool=tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert "secret" not in kept.name
    later = Source(stop=Event())
    worked(later, spool=tmp_path)
    assert later.calls == ["result", "lease"]
    assert later.reports == [("1", DONE)]
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_is_damaged_stops_nobody(stop: Event, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.keep("a", {"job": 3})
    spool.keep("b", {"job": to_plain(JOB), "measurement": to_plain(DONE)})
    (tmp_path / "cut.json").write_text('{"job": ')
    source = Source(stop=stop)
    worked(source, spool=tmp_path)
    assert source.reports == [("1", DONE)]
    assert (tmp_path / "cut.broken").exists()


def test_models_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch, stop: Event) -> None:
    monkeypatch.setattr(run_module, "CACHE_BYTES", 2 * len(MODEL))
    monkeypatch.setattr(run_module, "_checked_graph", lambda *_: load_graph(MODEL))
    source = Source(*(replace(JOB, graph=name) for name in ("a", "b", "a", "c", "a", "b")), stop=stop)
    worked(source)
    assert source.calls.count("model") == 4
