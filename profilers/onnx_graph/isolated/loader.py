"""Reading hostile models in a process of its own, with limits on memory and time."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self

from latcast.schema import Graph, InvalidModelError, LatcastError
from profilers.host.messages import Message, receive_message, send_message
from profilers.onnx_graph.isolated.cache import KnownModels
from profilers.onnx_graph.isolated.encoding import decode_error, decode_graph
from profilers.onnx_graph.limits import Limits

__all__ = ["GraphLoader"]

_STARTUP_S = 60.0
_ANSWER_BYTES = 256 * 2**20
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")


class GraphLoader:
    """Reads models in long-lived worker processes that cannot hurt the one that asks.

    Workers start when they are first needed, live for many models, and are replaced after a crash or a timeout. Each
    has an address-space limit, cannot write files, and inherits neither handles nor secrets of the environment.
    Graphs of the latest models are kept: the same bytes again cost a look-up. Thread-safe; a call waits while all
    workers are busy. Close it, or use it as a context manager.

    Args:
        limits: caps on a model, as for `load_graph`.
        timeout_s: wall-clock limit for one model.
        memory_bytes: address space that a worker may add to what its interpreter has.
        workers: how many models may be read at a time.
    """

    def __init__(
        self,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        timeout_s: float = 30.0,
        memory_bytes: int = 4 * 2**30,
        workers: int = 1,
    ) -> None:
        self._limits, self._timeout_s = limits, timeout_s
        self._settings = json.dumps({"limits": asdict(limits), "memory_bytes": memory_bytes})
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()
        self._workers = workers
        self._known: KnownModels[Graph] = KnownModels()
        self._lock, self._closed = Lock(), False
        for _ in range(workers):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def load(self, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
        """The graph of a model.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.

        Raises:
            InvalidModelError: as `load_graph`, or reading it took too much time or memory or crashed.
        """
        known = None if self._closed else self._known.get(model, shapes)
        return known or self._known.keep(model, shapes, self._ask(model, shapes, strip=False)[0])

    def prepare(self, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None) -> tuple[Graph, bytes]:
        """The graph, and the model with its shapes bound and its weights stripped, without parsing it here.

        Raises:
            InvalidModelError: as `load`.
        """
        return self._ask(model, shapes, strip=True)

    def close(self) -> None:
        """End all workers, once they have answered. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for _ in range(self._workers):
            worker = self._idle.get()
            if worker is not None:
                worker.close()
        self._idle.put(None)  # whoever waits for a worker wakes up and sees that there are none

    def _ask(self, model: bytes, shapes: Mapping[str, Sequence[int]] | None, *, strip: bool) -> tuple[Graph, bytes]:
        self._limits.check("model_bytes", len(model), "bytes")
        plain = None if shapes is None else {name: list(shape) for name, shape in shapes.items()}
        header, body = self._exchange({"shapes": plain, "strip": strip}, model)
        if "error" in header:
            raise decode_error(header["error"])
        size = header.get("graph_bytes", 0)
        return decode_graph(body[:size]), body[size:]

    def _exchange(self, header: dict[str, Any], model: bytes) -> Message:
        worker = self._idle.get()
        healthy = False
        try:
            if self._closed:
                raise LatcastError("The graph loader is closed.")
            worker = worker or _Worker(self._settings)
            answer = worker.ask(header, model, self._timeout_s)
            healthy = True
            return answer
        finally:
            if worker is not None and not healthy:
                worker.close()
            self._idle.put(worker if healthy else None)


class _Worker:
    """One worker process; used by one thread at a time."""

    def __init__(self, settings: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "profilers.onnx_graph.isolated.child", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None  # noqa: S101 - both are pipes
            os.set_blocking(stream.fileno(), False)
        if self._receive(_STARTUP_S, 2**20) is None:
            self.close()
            raise LatcastError("The process that reads models did not start: is latcast installed for this Python?")

    def ask(self, header: dict[str, Any], model: bytes, timeout_s: float) -> Message:
        """Send one model and wait for the answer.

        Raises:
            InvalidModelError: there is none in time, or the process crashed.
        """
        start = monotonic()
        answer = self._receive(timeout_s, _ANSWER_BYTES + 2 * len(model), (header, model))
        if answer is None and monotonic() - start >= timeout_s:
            raise InvalidModelError(f"Reading the model took longer than {timeout_s:g} s; make it smaller.")
        if answer is None:
            raise InvalidModelError("Reading the model crashed the process that did it; check it with onnx.checker.")
        return answer

    def _receive(self, timeout_s: float, largest: int, question: Message | None = None) -> Message | None:
        """The next message, after sending the question; None when there is none in time or the process ends first."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None  # noqa: S101, PT018 - both are pipes
        deadline = monotonic() + timeout_s
        try:
            if question is not None:
                send_message(requests.fileno(), question, deadline)
            return receive_message(answers.fileno(), largest=largest, deadline=deadline)
        except (OSError, ValueError, TypeError):  # the time is over, the process has ended, or says no message
            return None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # closing flushes what a killed process never read
                if stream is not None:
                    stream.close()
