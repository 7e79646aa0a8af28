"""What exceptions say of a model that was measured."""

import pytest

from latcast.schema import BackendUnavailableError, InvalidFeedsError, InvalidModelError, ProfileSettings
from profilers.timing.failures import failure_of

SETTINGS = ProfileSettings(memory_limit_bytes=2**29)


@pytest.mark.parametrize(
    ("error", "stage", "words"),
    [
        (MemoryError(), "memory", "more than the 512 MiB that it may use."),
        (MemoryError("an arena"), "memory", "(an arena)"),
        (BackendUnavailableError("It is not installed."), "unavailable", "It is not installed."),
        (InvalidFeedsError("They do not fit."), "feeds", "They do not fit."),
        (InvalidModelError("It is refused."), "load", "It is refused."),
        (RuntimeError("out of luck"), "run", "RuntimeError: out of luck"),
    ],
)
def test_each_kind_of_error_has_its_stage(error: Exception, stage: str, words: str) -> None:
    failure = failure_of(error, SETTINGS, refused="load")
    assert failure.stage == stage
    assert words in failure.message


def test_a_model_is_refused_when_it_is_opened_unless_said_otherwise() -> None:
    assert failure_of(InvalidModelError("No."), SETTINGS).stage == "open"
