"""Short turns at the cores: asked of the system for a thread and what it starts, and taken back."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from service.operations import core_turns
from service.operations.core_turns import SHORT_NS, short_turns, take_short_turns, take_usual_turns, turn_ns


def in_a_thread(work: Callable[[], object]) -> list[object]:
    """What the work answers in a thread of its own, which ends with it."""
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    thread.join(60)
    return answers


def gives_turns() -> bool:
    """Whether this system gives short turns to who asks."""
    return in_a_thread(lambda: take_short_turns() and turn_ns() == SHORT_NS) == [True]


needs_turns = pytest.mark.skipif(not gives_turns(), reason="the system has no turns of different lengths")


@needs_turns
def test_a_thread_gets_short_turns_and_gives_them_back() -> None:
    def work() -> list[int | None]:
        before = turn_ns()
        with short_turns():
            within = turn_ns()
        return [before, within, turn_ns()]

    ((before, within, after),) = in_a_thread(work)  # type: ignore[misc]  # one answer, of three
    assert before == after
    assert before != within == SHORT_NS


@needs_turns
def test_threads_and_processes_that_it_starts_have_them_and_no_others() -> None:
    own = turn_ns()
    program = "from service.operations.core_turns import turn_ns; print(turn_ns())"

    def child() -> int:
        return int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout)

    def work() -> list[object]:
        take_short_turns()
        started = [*in_a_thread(turn_ns), child()]
        take_usual_turns()
        return [*started, *in_a_thread(turn_ns), child()]

    assert in_a_thread(work) == [[SHORT_NS, SHORT_NS, own, own]]
    assert turn_ns() == own


@needs_turns
def test_the_priority_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import os; os.nice(7)\n"
        "from service.operations.core_turns import take_short_turns, take_usual_turns\n"
        "assert take_short_turns() and os.nice(0) == %d\n"
        "assert take_usual_turns()\n"
        "print(os.nice(0))"
    )
    nice = min(os.nice(0) + 7, 19)
    done = subprocess.run([sys.executable, "-c", program % nice], capture_output=True, check=True, text=True)
    assert done.stdout.split() == [str(nice)]


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "s390x")])
def test_systems_without_the_call_go_on_as_they_are(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(core_turns.sys, "platform", system)
    monkeypatch.setattr(core_turns.platform, "machine", lambda: machine)
    with short_turns():
        assert (take_short_turns(), take_usual_turns(), turn_ns()) == (False, False, None)


def test_a_system_that_refuses_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_turns, "_call", lambda *_: -1)
    with short_turns():
        assert (take_short_turns(), turn_ns()) == (False, None)
