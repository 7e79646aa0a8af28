"""What an agent does before it has work: ask until the service itself answers."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from latcast.errors import RateLimitedError, ServiceError, UnavailableError, UnexpectedAnswerError
from latcast.schema import LatcastError
from profilers.agent.backoff import Backoff

__all__ = ["until_answered"]

T = TypeVar("T")

AWAY = (UnavailableError, RateLimitedError, UnexpectedAnswerError)


def until_answered(call: Callable[[], T], *, stop: Event, say: Callable[[str], None]) -> T | None:
    """What a call to the service returns, made again with growing pauses while nobody answers it, or somebody else.

    Args:
        call: that may be repeated without harm.
        stop: ends the waiting.
        say: told in a line why it waits.

    Returns:
        None where it had to stop before.

    Raises:
        LatcastError: what the service itself refuses.
    """
    backoff = Backoff()
    while not stop.is_set():
        try:
            return call()
        except LatcastError as error:
            if not _is_away(error):
                raise
            why = str(error)
        except (KeyError, TypeError) as error:
            why = f"The service's answer cannot be read: {type(error).__name__}."
        pause_s = backoff.pause_s()
        say(f"{why} Trying again in {pause_s:.1f} s.")
        stop.wait(pause_s)
    return None


def _is_away(error: LatcastError) -> bool:
    return isinstance(error, AWAY) or type(error) is ServiceError
