"""Work in the background goes on whatever happens in it."""

import threading

from service.worker.loop import Ticker

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
