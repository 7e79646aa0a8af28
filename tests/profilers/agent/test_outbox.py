"""Reports stay until they are taken; one that the source fails at holds up the others for a minute, then waits."""

from dataclasses import replace
from pathlib import Path

import pytest

from latcast.schema import Failure, Measurement, ProcessRun, ProfileSettings, Target
from profilers.agent import outbox
from profilers.agent.jobs import AgentRefusedError, Job, SourceFailedError, SourceUnavailableError
from profilers.agent.outbox import Outbox
from profilers.agent.spool import Spool

JOB = Job(id="1", lease_token="a", graph="g", settings=ProfileSettings(backend="fake"))
OTHER = replace(JOB, id="2", lease_token="b")
DONE = Measurement(graph="g", target=Target(device="f", backend="fake"), settings=JOB.settings,
                   runs=(ProcessRun(samples_ms=(1.0,)),))  # fmt: skip


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outbox, "time", clock)
    return clock


class Source:
    """Takes reports, but for those of jobs for which it has an error."""

    def __init__(self, **errors: Exception) -> None:
        self.errors, self.taken, self.put_off = errors, [], []

    def send(self, job: Job, _report: object) -> None:
        if (error := self.errors.get(job.lease_token)) is not None:
            raise error
        self.taken.append(job.id)

    def deliver(self, box: Outbox) -> None:
        box.deliver(self.send, put_off=lambda job, why: self.put_off.append((job.id, why)))


def test_what_is_taken_is_forgotten(tmp_path: Path) -> None:
    box, source = Outbox(Spool(tmp_path)), Source()
    box.put(JOB, DONE)
    box.put(OTHER, Failure(stage="load", message="No."))
    assert len(list(tmp_path.iterdir())) == 1
    source.deliver(box)
    source.deliver(box)
    assert source.taken == ["1", "2"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [SourceUnavailableError("away"), AgentRefusedError("revoked")])
def test_what_is_not_taken_waits_for_the_next_life(tmp_path: Path, error: Exception) -> None:
    box = Outbox(Spool(tmp_path))
    box.put(JOB, DONE)
    with pytest.raises(type(error)):
        Source(a=error).deliver(box)
    later = Source()
    later.deliver(Outbox(Spool(tmp_path)))
    assert later.taken == ["1"]


def test_failing_at_one_report_keeps_no_other_back_and_in_the_end_no_work(clock: Clock) -> None:
    box, source = Outbox(None), Source(a=SourceFailedError("500"))
    box.put(JOB, DONE)
    box.put(OTHER, DONE)
    with pytest.raises(SourceFailedError, match="500"):
        source.deliver(box)
    assert source.taken == ["2"]
    clock.now += outbox.PATIENCE_S
    source.deliver(box)
    assert source.put_off == [("1", "500")]
    source.errors.clear()
    source.deliver(box)
    assert source.taken == ["2"]
    clock.now += outbox.PUT_OFF_S
    source.deliver(box)
    assert source.taken == ["2", "1"]


def test_a_source_that_takes_no_results_gets_no_more_of_them(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PATIENCE_S", 0.0)
    box, source = Outbox(None), Source(**{str(number): SourceFailedError("500") for number in range(20)})
    for number in range(19):
        box.put(replace(JOB, lease_token=str(number)), DONE)
    source.deliver(box)
    box.put(replace(JOB, lease_token="19"), DONE)
    with pytest.raises(SourceFailedError, match="no results"):
        source.deliver(box)


def test_results_of_another_version_are_left_where_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Spool(tmp_path).keep("a", {"job": {"of": "the future"}, "measurement": {}})
    Source().deliver(Outbox(Spool(tmp_path)))
    assert "left where it is" in caplog.text
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("method", ["keep", "drop"])
def test_a_disk_that_refuses_costs_no_report(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Spool, method, refuse)
    box, source = Outbox(Spool(tmp_path)), Source()
    box.put(JOB, DONE)
    source.deliver(box)
    assert source.taken == ["1"]
    assert "No space left" in caplog.text
