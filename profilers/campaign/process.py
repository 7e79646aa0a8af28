"""The worker process, seen from the campaign: started, asked, and replaced when it crashes or hangs."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from latcast.schema import (
    Architecture,
    Device,
    Failure,
    LatcastError,
    Measurement,
    ProfileSettings,
    from_plain,
    to_plain,
)
from profilers.backends.target_settings import target_for
from profilers.campaign.child import Answer, Begin, Request
from profilers.host.children import child_environment, explain_end
from profilers.host.cpus import cpus_for
from profilers.host.environment import EnvironmentReader

__all__ = ["Worker"]

READ_BYTES = 65536
FIRST_ANSWER_S = 60.0
"""For the imports of a runtime on a slow machine, on top of the time of a measurement."""


class _EndedError(Exception):
    """The worker crashed or hung; carries why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Worker:
    """Measures graphs on one target in one process; a context manager. A new process takes the place of a lost one.

    Args:
        device: this machine.
        settings: target and manner of each measurement; `timeout_s` is for one graph.
    """

    def __init__(self, device: Device, settings: ProfileSettings) -> None:
        self._settings, self._target = settings, target_for(device, settings)
        self._host = EnvironmentReader()
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.stop()

    def measure(self, architecture: Architecture) -> Measurement:
        """One architecture, measured or failed."""
        before, begun = self._host.read(), Answer()
        try:
            process = self._started()
            process.ask(Request(architecture=architecture))
            begun = process.answer()
            answer = process.answer() if begun.failure is None else begun
        except _EndedError as ended:
            answer = Answer(failure=ended.failure)
        return Measurement(
            graph=begun.graph,
            target=self._target,
            settings=self._settings,
            feeds=begun.feeds,
            before=before,
            runs=(answer.run,) if answer.run else (),
            failure=answer.failure,
        )

    def sentinel_ms(self) -> float:
        """Latency of the sentinel.

        Raises:
            LatcastError: the target cannot even run that; says why.
        """
        try:
            process = self._started()
            process.ask(Request())
            answer = process.answer()
        except _EndedError as ended:
            answer = Answer(failure=ended.failure)
        if answer.sentinel_ms is None:
            reason = answer.failure.message if answer.failure else "it gave no answer."
            raise LatcastError(f"{self._target.label} cannot run the sentinel: {reason}")
        return answer.sentinel_ms

    def _started(self) -> "_Process":
        if self._process is None or self._process.ended:
            self._process = _Process(self._settings)
        return self._process


class _Process:
    """A child and the lines to and from it."""

    def __init__(self, settings: ProfileSettings) -> None:
        self._settings, self._buffer, self.ended = settings, b"", False
        self._patience_s = settings.timeout_s + FIRST_ANSWER_S
        self._folder = tempfile.TemporaryDirectory(prefix="latcast-")  # mode 0700
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "profilers.campaign.child"], cwd=self._folder.name,
                env=child_environment(Path(self._folder.name)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, close_fds=True, start_new_session=True,
            )  # fmt: skip
        self.ask(Begin(settings=settings, parent_pid=os.getpid(), cpus=cpus_for(settings.threads)))

    def ask(self, request: Begin | Request) -> None:
        """Send a line."""
        stdin = self._child.stdin
        assert stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            stdin.write(json.dumps(to_plain(request)).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise self._lost(self._child.wait()) from error

    def answer(self) -> Answer:
        """The next line.

        Raises:
            _EndedError: the process is gone, or was stopped because it took too long.
        """
        stdout = self._child.stdout
        assert stdout is not None  # noqa: S101 - a pipe was asked for
        deadline = time.monotonic() + self._patience_s
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._lost(None)
            more = os.read(stdout.fileno(), READ_BYTES)
            if not more:
                raise self._lost(self._child.wait())
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        self._patience_s = self._settings.timeout_s
        return from_plain(Answer, json.loads(line))

    def _lost(self, code: int | None) -> _EndedError:
        failure = explain_end(code, self._log, self._settings)
        self.stop()
        return _EndedError(failure)

    def stop(self) -> None:
        """End the process and all that it started."""
        if self.ended:
            return
        self.ended = True
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()
        self._folder.cleanup()
