"""Children that answer one request: what they answer, and what their ends become."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from latcast.schema import Failure
from profilers.host.child_limits import ChildLimits
from profilers.host.one_shot import OneShotChildren

LIMITS = ChildLimits(timeout_s=60.0, memory_bytes=2**29, file_bytes=2**20)

CHILD = """
    import os, time
    from dataclasses import dataclass
    from pathlib import Path
    from latcast.schema import Failure
    from profilers.host.one_shot import answer_one

    @dataclass(frozen=True)
    class Asked:
        task: str

    @dataclass(frozen=True)
    class Said:
        pid: int
        text: str

    def answer(request, folder):
        match request.task:
            case "exit": os._exit(3)
            case "raise": raise ValueError("as it was told")
            case "hang": time.sleep(60)
            case "fail": return Failure(stage="run", message="It does not work.")
            case "break":
                name = Path(__import__("sys").argv[2])
                (folder / f"{name}.answer.json").write_text('{"answer": {"pid": "none"}}')
                os._exit(0)
        return Said(pid=os.getpid(), text=(folder / "note").read_text() + request.task)

    answer_one(Asked, answer)
"""


@dataclass(frozen=True)
class Asked:
    task: str


@dataclass(frozen=True)
class Said:
    pid: int
    text: str


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneShotChildren[Said]:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "answering.py").write_text(textwrap.dedent(CHILD))
    (tmp_path / "note").write_text("a file and ")
    return OneShotChildren("answering", Said, tmp_path)


def test_each_request_has_a_process_and_an_answer_of_its_own(children: OneShotChildren[Said]) -> None:
    first, second = children.ask(Asked("one"), LIMITS), children.ask(Asked("two"), LIMITS)
    assert isinstance(first, Said)
    assert isinstance(second, Said)
    assert (first.text, second.text) == ("a file and one", "a file and two")
    assert first.pid != second.pid


@pytest.mark.parametrize(
    ("task", "stage", "words"),
    [
        ("exit", "crash", "exit code 3"),
        ("raise", "crash", "as it was told"),
        ("break", "crash", "broken"),
        ("fail", "run", "It does not work."),
    ],
)
def test_what_is_no_answer_is_a_failure(children: OneShotChildren[Said], task: str, stage: str, words: str) -> None:
    failure = children.ask(Asked(task), LIMITS)
    assert isinstance(failure, Failure)
    assert failure.stage == stage
    assert words in failure.message
    assert isinstance(children.ask(Asked("after it"), LIMITS), Said)


def test_a_child_that_hangs_is_stopped(children: OneShotChildren[Said]) -> None:
    limits = ChildLimits(timeout_s=0.1, memory_bytes=2**29, file_bytes=2**20)
    failure = children.ask(Asked("hang"), limits)
    assert isinstance(failure, Failure)
    assert failure.stage == "timeout"
