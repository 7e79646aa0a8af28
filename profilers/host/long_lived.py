"""Child processes that answer one request after the other.

Requests and answers are messages (`profilers.host.messages`) on the child's standard input and output. The first one to
the child says its limits and how to set itself up; the child limits itself, says that it is ready, and answers until
its standard input ends. A child that crashes, hangs or answers with something else has ended: its parent starts another
one.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from subprocess import TimeoutExpired
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

from latcast.schema import Failure, from_plain, to_plain
from profilers.host.child_limits import ChildLimits
from profilers.host.children import broken_answer, explain_end, kill, start_child
from profilers.host.messages import Message, Pieces, read_message, receive_message, send_message, write_message
from profilers.host.private_folder import PrivateFolder

__all__ = ["ANSWER_BYTES", "ChildEndedError", "LongLivedChild", "Requests"]

STARTUP_S = 60.0
"""Time for the imports of a child on a slow machine."""
LAST_WORDS_S = 5.0
"""Time to end once its pipes are closed."""
ANSWER_BYTES = 256 * 2**20
REQUEST_BYTES = 2**40


class ChildEndedError(Exception):
    """A child is gone: it crashed, was stopped because it took too long, or said what is no message.

    Args:
        failure: why, for people.
        timed_out: whether it was stopped at the end of its time.
    """

    def __init__(self, failure: Failure, *, timed_out: bool = False) -> None:
        super().__init__(failure.message)
        self.failure, self.timed_out = failure, timed_out


class LongLivedChild:
    """A child process; a context manager, used by one thread at a time.

    Args:
        module: what runs in it; as a program it reads `Requests`.
        setup: JSON values that the module finds in `Requests.setup`.
        limits: what it may take; `timeout_s` is for one answer.
        hostile: whether strangers made what it reads: then explanations of its end do not quote what it printed, and
            its dictionaries resist input that was made to slow them down.

    Raises:
        ChildEndedError: it did not start.
    """

    def __init__(self, module: str, setup: dict[str, Any], limits: ChildLimits, *, hostile: bool = False) -> None:
        self._limits, self.ended = limits, False
        self._folder = PrivateFolder()
        folder = self._folder.path
        self._output = folder / "log"
        self._output.touch()
        self._process = start_child(
            module, folder=folder, output=None if hostile else self._output, pipes=True, random_hashes=hostile
        )
        for pipe in (self._requests, self._answers):
            os.set_blocking(pipe, False)
        try:
            self._send({"limits": to_plain(limits), "setup": setup}, b"", self._deadline(STARTUP_S))
            self._receive(ANSWER_BYTES, self._deadline(STARTUP_S))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _requests(self) -> int:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        return self._process.stdin.fileno()

    @property
    def _answers(self) -> int:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        return self._process.stdout.fileno()

    def ask(self, header: dict[str, Any], payload: bytes | Pieces = b"") -> None:
        """Send a request of JSON values, and bytes that go with them.

        Raises:
            ChildEndedError: it is gone, or did not take the request in time.
        """
        self._send(header, payload, self._deadline())

    def answer(self, *, timeout_s: float | None = None) -> Message:
        """The next answer to what was asked.

        Args:
            timeout_s: other than that of the limits.

        Raises:
            ChildEndedError: it is gone, was stopped because it took too long, or said what is no message.
        """
        return self._receive(ANSWER_BYTES, self._deadline(timeout_s))

    def exchange(
        self, header: dict[str, Any], payload: bytes | Pieces = b"", *, largest: int = ANSWER_BYTES
    ) -> Message:
        """The one answer to a request; both are within the time of the limits.

        Args:
            header: JSON values.
            payload: bytes that go with them.
            largest: bytes of the answer.

        Raises:
            ChildEndedError: as for `ask` and `answer`.
        """
        deadline = self._deadline()
        self._send(header, payload, deadline)
        return self._receive(largest, deadline)

    def _send(self, header: dict[str, Any], payload: bytes | Pieces, deadline: float) -> None:
        try:
            send_message(self._requests, header, payload, deadline)
        except TimeoutError:
            raise self._lost(None) from None
        except OSError:
            raise self._gone() from None

    def _receive(self, largest: int, deadline: float) -> Message:
        try:
            message = receive_message(self._answers, largest=largest, deadline=deadline)
        except TimeoutError:
            raise self._lost(None) from None
        except (ValueError, TypeError, RecursionError) as error:
            self.close()
            raise ChildEndedError(broken_answer(error)) from error
        if message is None:
            raise self._gone()
        return message

    def _deadline(self, timeout_s: float | None = None) -> float:
        return monotonic() + (self._limits.timeout_s if timeout_s is None else timeout_s)

    def _gone(self) -> ChildEndedError:
        """The error of a child that closed its pipes; one that lives on without them is stopped."""
        try:
            return self._lost(self._process.wait(LAST_WORDS_S))
        except TimeoutExpired:
            return self._lost(None)

    def _lost(self, code: int | None) -> ChildEndedError:
        failure = explain_end(code, self._output, self._limits)
        self.close()
        return ChildEndedError(failure, timed_out=code is None)

    def close(self) -> None:
        """End the child and all that it started. Calling it again does nothing."""
        if not self.ended:
            self.ended = True
            kill(self._process)
            self._folder.cleanup()


class Requests:
    """What a child is asked, seen from the child; it is limited once this is made.

    `limits` and the JSON values in `setup` are those that the parent gave to `LongLivedChild`.

    Args:
        requests: messages of the parent.
        answers: messages to it.
    """

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests, self._answers = requests, answers
        begin = read_message(requests, largest=REQUEST_BYTES)
        if begin is None:
            raise SystemExit(0)
        self.limits = from_plain(ChildLimits, begin[0]["limits"])
        self.limits.apply()
        self.setup: dict[str, Any] = begin[0]["setup"]

    @classmethod
    def of_this_process(cls) -> Self:
        """The requests on standard input; standard output is for answers alone, and other prints go to its errors."""
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        return cls(sys.stdin.buffer, answers)

    def __iter__(self) -> Iterator[Message]:
        """Say that the child is ready, then give one request after the other until the parent closes the pipe."""
        self.answer({"ready": True})
        while (message := read_message(self._requests, largest=REQUEST_BYTES)) is not None:
            self.limits.begin_request()
            yield message

    def answer(self, header: dict[str, Any], *payload: bytes) -> None:
        """Send an answer; how many answers a request has is between the two sides."""
        with suppress(BrokenPipeError):  # the parent has gone, and the next request says so
            write_message(self._answers, header, *payload)
