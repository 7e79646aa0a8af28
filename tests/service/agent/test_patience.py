"""An agent asks until the service itself answers; what the service refuses is not asked again."""

from threading import Event

import pytest

from latcast.errors import AuthenticationError, ServiceError, UnavailableError, UnexpectedAnswerError
from profilers.agent import backoff
from service.agent.patience import until_answered


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.001)


def failing(*errors: Exception) -> object:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "the key"

    return call


def test_it_asks_until_the_service_answers() -> None:
    said: list[str] = []
    errors = [UnavailableError("Nobody."), UnexpectedAnswerError("<html>"), ServiceError("500"), KeyError("agent_key")]
    assert until_answered(failing(*errors), stop=Event(), say=said.append) == "the key"
    assert [line.split()[0] for line in said[:3]] == ["Nobody.", "<html>", "500"]
    assert all("Trying again in" in line for line in said)


def test_a_refusal_is_the_services_own_and_final() -> None:
    with pytest.raises(AuthenticationError):
        until_answered(failing(AuthenticationError("No.")), stop=Event(), say=print)


def test_it_ends_when_it_has_to() -> None:
    stop = Event()
    assert until_answered(failing(UnavailableError("Nobody.")), stop=stop, say=lambda _line: stop.set()) is None
