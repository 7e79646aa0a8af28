"""What a driver's message means, and when trying again makes sense."""

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.db.failures import cause_of, is_away


@pytest.mark.parametrize(
    ("message", "words", "lasting"),
    [
        ("attempt to write a readonly database", "only be read", False),
        ("database disk image is malformed", "damaged: restore", True),
        ("file is not a database", "damaged: restore", True),
        ("database or disk is full", "no space left", True),
        ("no such table: job", "restart `latcast serve`", True),
        ('relation "job" does not exist', "restart `latcast serve`", True),
        ("unable to open database file", "cannot be opened", True),
        ("database is locked", "too long", False),
        ("FATAL: sorry, too many clients already", "too busy", False),
        ('FATAL: password authentication failed for user "me"', "user or the password", False),
        ('FATAL: database "x" does not exist', "create it first", False),
        ("connection refused", "cannot be reached or written now", False),
    ],
)
def test_causes_of_drivers_messages(message: str, words: str, lasting: bool) -> None:
    cause = cause_of(OperationalError("select 1", {}, Exception(message)))
    assert words in cause.sentence
    assert cause.is_lasting == lasting
    assert (cause.retry_after_s >= 60) == lasting


def test_a_pool_without_a_free_connection_is_busy() -> None:
    assert "too busy" in cause_of(PoolTimeoutError("QueuePool limit of size 10 overflow 20 reached")).sentence


def test_values_that_are_refused_are_no_failure_of_the_database() -> None:
    reason = Exception("no")
    assert is_away(OperationalError(None, None, reason))
    assert not is_away(IntegrityError(None, None, reason))
    assert not is_away(KeyError("no"))
