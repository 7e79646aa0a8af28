"""Work in the background goes on whatever happens in it, and leases that ran out are noticed."""

import threading

from latcast.schema import ProfileSettings
from service.db import tables
from service.db.session import Database
from service.jobs import queue
from service.jobs.payloads import AdaptPayload, ProfilePayload
from service.worker.loop import Ticker, expire_leases

HOUR = 3600.0


def test_calls_follow_each_other_at_once_while_there_is_work() -> None:
    done, over = [], threading.Event()

    def work() -> bool:
        done.append(threading.current_thread().name)
        if len(done) == 3:
            over.set()
        return len(done) < 3

    ticker = Ticker("testing", HOUR, work)
    ticker.start()
    assert over.wait(10)
    ticker.stop()
    assert done == ["testing"] * 3


def test_an_error_is_logged_and_the_next_call_comes() -> None:
    called, over = [], threading.Event()

    def work() -> bool:
        called.append(1)
        if len(called) > 1:
            over.set()
            return False
        raise ValueError("once")

    ticker = Ticker("testing", 0.001, work)
    ticker.start()
    assert over.wait(10)
    ticker.stop()


def test_stopping_waits_for_the_call_that_is_under_way() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        go_on.wait(10)
        ended.set()
        return True

    ticker = Ticker("testing", HOUR, work)
    ticker.start()
    assert begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    ticker.stop()
    assert ended.is_set()


def test_only_leases_that_ran_out_are_taken_back(database: Database) -> None:
    worker = queue.Worker(process="here:1")
    with database.write.begin() as session:
        for payload in (ProfilePayload(settings=ProfileSettings(backend="fake")), AdaptPayload(samples=1, sampler="x")):
            queue.enqueue(session, payload, max_attempts=1)
        late = queue.lease(session, kinds={ProfilePayload.kind}, worker=worker, lease_seconds=-1.0)
        held = queue.lease(session, kinds={AdaptPayload.kind}, worker=worker, lease_seconds=HOUR)
    assert late is not None
    assert held is not None
    assert expire_leases(database)
    assert not expire_leases(database)
    with database.read() as session:
        assert {job.id: job.state for job in session.query(tables.Job)} == {late.id: "failed", held.id: "leased"}
