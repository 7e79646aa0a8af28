"""Jobs that are waited for: what is handed back, and the sentence where one was not done."""

import io
from typing import Any

import pytest
from rich.console import Console

from latcast.errors import UnavailableError
from latcast.schema import InputError, LatcastError
from service.cli import progress
from service.cli.progress import bar, follow, follow_all, left_out_error, reason


def job(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "state": state, "children": {}, "result": None, "reasons": [], **more}


class Service:
    """A client whose jobs go through the states that are listed for them, one at each question."""

    def __init__(self, **states: list[str]) -> None:
        self.states = states

    def job(self, job_id: str) -> dict[str, Any]:
        states = self.states[job_id]
        return job(job_id, states.pop(0) if len(states) > 1 else states[0])

    def wait(self, job_id: str, *, timeout_s: float, poll_s: float, on_change: Any) -> dict[str, Any]:
        on_change(job(job_id, "waiting", children={"done": 1, "failed": 1, "queued": 2}))
        return self.job(job_id)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.0)


def test_a_job_that_is_done_is_handed_back(console: Console) -> None:
    assert follow(Service(a=["done"]), "a", what="measuring", console=console) == job("a", "done")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [("failed", "The job a failed: no reason was kept."), ("cancelled", "The job a was cancelled.")],
)
def test_a_job_that_is_not_done_is_a_sentence(console: Console, state: str, sentence: str) -> None:
    with pytest.raises(LatcastError, match=f"^{sentence}$"):
        follow(Service(a=[state]), "a", what="measuring", console=console)  # type: ignore[arg-type]


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "TERM=dumb"])
@pytest.mark.parametrize("transient", [True, False])
def test_a_bar_leaves_no_empty_line_behind_where_nothing_can_be_drawn(terminal: bool, transient: bool) -> None:
    environment = {"TERM": "dumb"} if terminal else {}
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, _environ=environment)
    with bar(console, transient=transient) as shown:
        shown.update(shown.add_task("measuring", total=2), completed=2)
        console.print("said")
    console.print("said afterwards")
    lines = str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    assert "said" in lines
    assert lines[-1] == "said afterwards"
    assert all(line.strip() for line in lines)
    assert (len(lines) == 2) is transient


def test_jobs_are_handed_over_as_they_finish(console: Console) -> None:
    service = Service(a=["queued", "leased", "failed"], b=["queued", "done"], c=["done"])
    finished: list[tuple[str, str]] = []

    def on_done(job: dict[str, Any]) -> None:
        finished.append((job["id"], job["state"]))

    follow_all(service, ["a", "b", "c"], what="measuring", console=console, on_done=on_done)  # type: ignore[arg-type]
    assert finished == [("b", "done"), ("a", "failed"), ("c", "done")]


def test_the_reason_is_the_error_of_the_result_else_the_last_message() -> None:
    attempts = [{"message": "first"}, {"message": "last"}, {"message": ""}]
    assert reason(job("a", "failed", result={"error": "Too few."}, reasons=attempts)) == "Too few."
    assert reason(job("a", "failed", reasons=attempts)) == "last"
    assert reason(job("a", "failed", result={}, reasons=attempts[2:])) == "no reason was kept."


def test_the_error_of_an_adaptation_is_that_of_networks_left_out() -> None:
    assert left_out_error({"support_loo_median_ape": 0.0512}) == "median error 5.1% on each when it is left out"
    assert left_out_error({"support_loo_median_ape": None}) == left_out_error({}) == "too few of them to tell its error"


class Starting:
    """A service that is away, then has no target, then has one."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def targets(self) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_first_target_is_waited_for(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.0)
    listed = [{"id": "t", "device_name": "pi", "label": "x"}]
    service: Any = Starting(UnavailableError("away"), [], [], listed)
    assert progress.first_target(service, None, console)["id"] == "t"
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("waiting for `latcast agent`") == 1


def test_waiting_for_a_target_ends(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    monkeypatch.setattr(progress, "SERVICE_SECONDS", -1.0)
    monkeypatch.setattr(progress, "TARGET_SECONDS", -1.0)
    away: Any = Starting(UnavailableError("away"))
    with pytest.raises(UnavailableError):
        progress.first_target(away, None, console)
    empty: Any = Starting([])
    with pytest.raises(InputError, match="latcast agent"):
        progress.first_target(empty, None, console)
