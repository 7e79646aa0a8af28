"""Children that answer many requests: set up once, asked in turns, and gone when they crash or hang."""

import textwrap
from pathlib import Path

import psutil
import pytest

from profilers.host.child_limits import ChildLimits
from profilers.host.long_lived import ChildEndedError, LongLivedChild

LIMITS = ChildLimits(timeout_s=60.0, memory_bytes=2**29, file_bytes=2**20)

CHILD = """
    import os, time
    from profilers.host.long_lived import Requests

    requests = Requests.of_this_process()
    print("a runtime that talks", flush=True)
    for header, payload in requests:
        match header["task"]:
            case "exit": os._exit(3)
            case "hang": time.sleep(60)
            case "babble": os.write(requests._answers.fileno(), bytes([255]) * 64)
            case "twice":
                requests.answer({"number": 1})
        requests.answer({"setup": requests.setup, "pid": os.getpid()}, payload, b"!")
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LongLivedChild:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "answering.py").write_text(textwrap.dedent(CHILD))
    return LongLivedChild("answering", {"colour": "red"}, LIMITS)


def test_requests_are_answered_by_one_process(child: LongLivedChild) -> None:
    with child:
        child.ask({"task": "say"}, b"pay")
        first, payload = child.answer()
        child.ask({"task": "say"})
        second, _ = child.answer()
    assert payload == b"pay!"
    assert first == second
    assert first["setup"] == {"colour": "red"}
    assert not psutil.pid_exists(first["pid"])


def test_one_request_and_its_answer_are_an_exchange(child: LongLivedChild) -> None:
    with child:
        header, payload = child.exchange({"task": "say"}, b"pay")
        assert header["setup"] == {"colour": "red"}
        assert payload == b"pay!"
        with pytest.raises(ChildEndedError, match="too large"):
            child.exchange({"task": "say"}, bytes(2000), largest=1000)


def test_a_request_may_have_two_answers(child: LongLivedChild) -> None:
    with child:
        child.ask({"task": "twice"})
        assert child.answer()[0] == {"number": 1}
        assert "pid" in child.answer()[0]


@pytest.mark.parametrize(("task", "words"), [("exit", "exit code 3"), ("babble", "broken")])
def test_a_child_that_is_lost_says_why(child: LongLivedChild, task: str, words: str) -> None:
    child.ask({"task": task})
    with pytest.raises(ChildEndedError, match=words) as caught:
        child.answer()
    assert caught.value.failure.stage == "crash"
    assert not caught.value.timed_out
    assert child.ended


def test_what_it_printed_is_quoted(child: LongLivedChild) -> None:
    child.ask({"task": "exit"})
    with pytest.raises(ChildEndedError, match="a runtime that talks"):
        child.answer()


def test_what_a_child_of_hostile_input_printed_is_not_quoted(child: LongLivedChild) -> None:
    child.close()
    with LongLivedChild("answering", {}, LIMITS, hostile=True) as other:
        other.ask({"task": "exit"})
        with pytest.raises(ChildEndedError) as caught:
            other.answer()
    assert "talks" not in str(caught.value)


def test_a_child_that_hangs_is_stopped(child: LongLivedChild) -> None:
    child.ask({"task": "hang"})
    with pytest.raises(ChildEndedError) as caught:
        child.answer(timeout_s=0.1)
    assert caught.value.timed_out
    assert caught.value.failure.stage == "timeout"
    assert child.ended


def test_a_child_that_ended_takes_no_request(child: LongLivedChild) -> None:
    child.ask({"task": "exit"})
    child._process.wait(20)
    with pytest.raises(ChildEndedError, match="exit code 3"):
        child.ask({"task": "say"})


def test_a_module_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ChildEndedError, match="No module named no_such_module"):
        LongLivedChild("no_such_module", {}, LIMITS)
    assert not list(tmp_path.iterdir())


def test_closing_twice_does_nothing(child: LongLivedChild) -> None:
    child.close()
    child.close()
    assert child.ended
