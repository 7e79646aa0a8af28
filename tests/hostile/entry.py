"""One hostile thing of the corpus: how it is sent, and what has to come of it."""

import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from tests.hostile.served import Answer, Served

__all__ = ["Entry", "Outcome", "parameters", "require_contained", "try_out"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, body or connection that somebody might send, and the bounds within which it is answered.

    Args:
        name: what it is.
        send: sends it to a service.
        status: of the answer; 0 where the connection is closed without one.
        says: a pattern that the sentence of the refusal has; empty where it is answered.
        fault: number of the fault that it shows, as long as it is not mended; such an entry has to fail.
        grows_mib: what the server's process may add while it answers, at the peak.
        workers_mib: what its workers may take together.
        slow: whether it takes more than ten seconds.
    """

    name: str
    send: Callable[[Served], Answer]
    status: int
    says: str = ""
    fault: str = ""
    grows_mib: float = 100.0
    workers_mib: float = 1536.0
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an entry did to a service; memory in MiB."""

    answer: Answer
    seconds: float
    grew_mib: float
    workers_mib: float


def try_out(served: Served, entry: Entry) -> Outcome:
    """Send an entry and watch."""
    before, began = served.memory.begin(), time.perf_counter()
    answer = entry.send(served)
    seconds = time.perf_counter() - began
    served.require_alive()
    served.memory.look()
    return Outcome(answer, seconds, served.memory.server_mib - before, served.memory.workers_mib)


def require_contained(entry: Entry, outcome: Outcome) -> None:
    """Fail unless the outcome is within the entry's bounds."""
    answer = outcome.answer
    assert answer.status == entry.status, answer.body[:2000]
    assert answer.status < 500 or answer.status == 503, answer.body[:2000]
    if entry.says:
        assert re.search(entry.says, answer.sentence), answer.sentence or answer.body[:2000]
    else:
        assert answer.sentence == "", answer.sentence
    assert answer.sentence.isprintable(), "sentences reach terminals: nothing foreign may act there"
    if answer.status == 200 and answer.item is not None and not entry.says:
        require_finite(answer.item)
    assert outcome.grew_mib <= entry.grows_mib, f"the server grew by {outcome.grew_mib:.0f} MiB"
    assert outcome.workers_mib <= entry.workers_mib, f"workers took {outcome.workers_mib:.0f} MiB"


def require_finite(item: dict[str, object]) -> None:
    """Fail unless a forecast consists of finite, positive numbers."""
    interval = item["interval_ms"] or ()
    assert isinstance(interval, list | tuple)
    for number in (item["latency_ms"], *interval):
        assert isinstance(number, float | int), item
        assert math.isfinite(number), item
        assert number > 0, item


def parameters(entries: Iterable[Entry]) -> list[object]:
    """The entries as parameters of a test; those of faults that are not mended have to fail until they are."""
    return [pytest.param(entry, id=entry.name, marks=_marks(entry)) for entry in entries]


def _marks(entry: Entry) -> list[pytest.MarkDecorator]:
    marks = [pytest.mark.slow] if entry.slow else []
    if entry.fault:
        marks.append(pytest.mark.xfail(strict=True, reason=f"{entry.fault} is not mended yet"))
    return marks
