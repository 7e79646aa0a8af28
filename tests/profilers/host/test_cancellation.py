"""Work ends at its next look once nobody waits for it, in its thread and in those that copy its context."""

from contextvars import copy_context
from threading import Thread

import pytest

from profilers.host.cancellation import Cancellation, WorkCancelledError, cancelled_by, check_wanted


def test_work_without_a_caller_that_could_go_is_always_wanted() -> None:
    check_wanted()


def test_work_ends_once_it_is_cancelled_and_what_comes_after_goes_on() -> None:
    cancellation = Cancellation()
    with cancelled_by(cancellation):
        check_wanted()
        cancellation.cancel()
        cancellation.cancel()
        assert cancellation.is_cancelled
        with pytest.raises(WorkCancelledError, match="nobody waits"):
            check_wanted()
    check_wanted()


def test_a_thread_sees_the_cancellation_of_the_context_that_it_copies() -> None:
    cancellation, seen = Cancellation(), list[str]()

    def look() -> None:
        try:
            check_wanted()
        except WorkCancelledError:
            seen.append("cancelled")

    cancellation.cancel()
    with cancelled_by(cancellation):
        threads = [Thread(target=copy_context().run, args=(look,)), Thread(target=look)]
    for thread in threads:
        thread.start()
        thread.join()
    assert seen == ["cancelled"]
