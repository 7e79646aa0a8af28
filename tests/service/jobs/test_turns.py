"""Submitters take turns on a device, whoever came first with however many jobs; priorities go before."""

from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session

from latcast.schema import JobKind, ProfileSettings
from service.db import records, tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload
from service.jobs.turns import Line, Submitter, submitter_of
from tests.service.helpers import DEVICE, OTHER_TARGET, TARGET

PAYLOAD = ProfilePayload(settings=ProfileSettings(backend="fake"))
WORKER = queue.Worker(process="tests")


@pytest.fixture(autouse=True)
def _device(database: Database) -> None:
    with database.write.begin() as session:
        device = session.merge(records.device_row(DEVICE))
        session.flush()
        for target in (TARGET, OTHER_TARGET):
            session.merge(records.target_row(target, device))


def submit(session: Session, who: Submitter, count: int, *, target: str = TARGET.id) -> list[tables.Job]:
    line = Line(session, JobKind.PROFILE, target, who)
    return [queue.enqueue(session, PAYLOAD, max_attempts=3, target_id=target, line=line) for _ in range(count)]


def served(session: Session, count: int) -> Sequence[str | None]:
    """Whose jobs are leased, one after the other, each done before the next."""
    order = []
    for _ in range(count):
        job = queue.lease(session, kinds={JobKind.PROFILE}, worker=WORKER, lease_seconds=60)
        assert job is not None
        order.append(job.api_key_id)
        queue.complete(session, job_id=job.id, lease_token=str(job.lease_token), result={})
    return order


def test_a_few_jobs_behind_many_are_done_in_turn(database: Database) -> None:
    with database.write.begin() as session:
        submit(session, Submitter("many"), 10)
        assert served(session, 4) == ["many"] * 4
        submit(session, Submitter("few"), 2, target=OTHER_TARGET.id)
        submit(session, Submitter(None), 1)
        assert served(session, 6) == ["many", "few", None, "many", "few", "many"]


def test_nobody_gains_by_coming_back(database: Database) -> None:
    """Jobs in several calls stand where they would in one; an empty queue gives nobody a debt."""
    with database.write.begin() as session:
        submit(session, Submitter("a"), 2)
        submit(session, Submitter("b"), 1)
        submit(session, Submitter("a"), 1)
        submit(session, Submitter("b"), 2)
        assert served(session, 6) == ["a", "b"] * 3
        submit(session, Submitter("b"), 1)
        submit(session, Submitter("a"), 1)
        assert served(session, 2) == ["b", "a"]


def test_who_comes_while_one_is_measured_does_not_wait_for_the_rest(database: Database) -> None:
    with database.write.begin() as session:
        submit(session, Submitter("many"), 5)
        served(session, 2)
        at_it = queue.lease(session, kinds={JobKind.PROFILE}, worker=WORKER, lease_seconds=60)
        assert at_it is not None
        (job,) = submit(session, Submitter("few"), 1)
        assert job.turn == at_it.turn + 1
        assert served(session, 2) == ["many", "few"]


def test_priorities_go_first(database: Database) -> None:
    with database.write.begin() as session:
        submit(session, Submitter("a", -1), 1)
        submit(session, Submitter("a"), 2)
        submit(session, Submitter("b", 5), 2)
        assert served(session, 5) == ["b", "b", "a", "a", "a"]


def test_a_job_leads_to_jobs_of_its_submitter(database: Database) -> None:
    with database.write.begin() as session:
        line = Line(session, JobKind.ADAPT, TARGET.id, Submitter("a", 3))
        payload = AdaptPayload(samples=1, sampler="random")
        job = queue.enqueue(session, payload, max_attempts=3, target_id=TARGET.id, line=line)
        assert submitter_of(job) == Submitter("a", 3)
