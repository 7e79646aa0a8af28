"""Messages through pipes, whole or not at all."""

import io
import os
import time
from collections.abc import Iterator

import pytest

from profilers.host.messages import read_message, receive_message, send_message, write_message


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def soon() -> float:
    return time.monotonic() + 0.05


def test_streams_carry_messages_one_after_the_other() -> None:
    stream = io.BytesIO()
    write_message(stream, {"a": [1, "ä"]}, b"pay", b"load")
    write_message(stream, {})
    stream.seek(0)
    assert read_message(stream, largest=100) == ({"a": [1, "ä"]}, b"payload")
    assert read_message(stream, largest=100) == ({}, b"")
    assert read_message(stream, largest=100) is None


@pytest.mark.parametrize("size", [3, 17, 25])
def test_a_message_that_is_cut_off_is_the_end(size: int) -> None:
    stream = io.BytesIO()
    write_message(stream, {"a": 1}, b"payload")
    assert read_message(io.BytesIO(stream.getvalue()[:size]), largest=100) is None


def test_a_message_that_is_too_large_is_refused() -> None:
    stream = io.BytesIO()
    write_message(stream, {}, bytes(200))
    stream.seek(0)
    with pytest.raises(ValueError, match="too large"):
        read_message(stream, largest=100)


def test_what_follows_a_message_stays_for_the_next_call(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    send_message(writing, {"first": 1}, b"one", soon())
    send_message(writing, {"second": 2}, b"", soon())
    assert receive_message(reading, largest=100, deadline=soon()) == ({"first": 1}, b"one")
    assert receive_message(reading, largest=100, deadline=soon()) == ({"second": 2}, b"")


def test_waiting_ends_at_the_deadline(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with pytest.raises(TimeoutError):
        receive_message(reading, largest=100, deadline=soon())
    with pytest.raises(TimeoutError):
        send_message(writing, {}, bytes(2**20), soon())
    with pytest.raises(ValueError, match="too large"):
        receive_message(reading, largest=100, deadline=soon())


def test_a_closed_pipe_has_no_message() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    assert receive_message(reading, largest=100, deadline=soon()) is None
    os.close(reading)
