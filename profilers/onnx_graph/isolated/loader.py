"""Reading hostile models and building networks of texts in processes of their own, with limits on memory and time."""

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
from typing import Any, NamedTuple, Self

from latcast.schema import Architecture, Graph, InvalidModelError, LatcastError
from profilers.host.messages import Message, receive_message, send_message
from profilers.onnx_graph.isolated.arrays import unpack_arrays
from profilers.onnx_graph.isolated.cache import KnownModels
from profilers.onnx_graph.isolated.encoding import decode_error, decode_graph, malformed_answer
from profilers.onnx_graph.limits import Limits

__all__ = ["GraphLoader", "PreparedModel"]

_STARTUP_S = 60.0
_ANSWER_BYTES = 256 * 2**20
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")


class PreparedModel(NamedTuple):
    """What is stored of a model.

    Args:
        graph: its record.
        model: ONNX, its shapes bound and its weights stripped.
    """

    graph: Graph
    model: bytes


class GraphLoader:
    """Reads models, and builds those of texts, in long-lived worker processes that cannot hurt the one that asks.

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
        return known or self._known.keep(model, shapes, self._read(model, shapes, strip=False).graph)

    def prepare(self, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None) -> PreparedModel:
        """The graph, and the model with its shapes bound and its weights stripped.

        Raises:
            InvalidModelError: as `load`.
        """
        return self._read(model, shapes, strip=True)

    def build(self, architecture: Architecture) -> Graph:
        """The graph of the network that an architecture's text stands for.

        Args:
            architecture: its text in normal form, as `SearchSpace.parse` gives it.

        Raises:
            UnknownNameError: nobody registered the search space.
            InvalidArchitectureError: not a text of the space.
            InvalidModelError: building it took too much time or memory, crashed or failed.
        """
        return self._build(architecture, strip=False).graph

    def prepare_architecture(self, architecture: Architecture) -> PreparedModel:
        """The graph and the model, without weights, of the network that an architecture's text stands for.

        Raises:
            InputError: as `build`.
        """
        return self._build(architecture, strip=True)

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

    def _read(self, model: bytes, shapes: Mapping[str, Sequence[int]] | None, *, strip: bool) -> PreparedModel:
        self._limits.check("model_bytes", len(model), "bytes")
        plain = None if shapes is None else {name: list(shape) for name, shape in shapes.items()}
        return self._ask({"operation": "read", "shapes": plain, "strip": strip}, model)

    def _build(self, architecture: Architecture, *, strip: bool) -> PreparedModel:
        named = {"space": architecture.space, "text": architecture.text}
        return self._ask({"operation": "build", "strip": strip, **named}, b"")

    def _ask(self, header: dict[str, Any], model: bytes) -> PreparedModel:
        answer, payload = self._exchange(header, model)
        if "error" in answer:
            raise decode_error(answer["error"])
        try:
            arrays = unpack_arrays(answer.get("arrays"), payload, largest=len(payload))
            graph, stripped = arrays["graph"].tobytes(), arrays["model"].tobytes() if header["strip"] else b""
        except (ValueError, KeyError):
            raise malformed_answer() from None
        return PreparedModel(decode_graph(graph), stripped)

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
        """Send one request and wait for the answer.

        Raises:
            InvalidModelError: there is none in time, or the process crashed.
        """
        subject = "Building the network" if header["operation"] == "build" else "Reading the model"
        start = monotonic()
        answer = self._receive(timeout_s, _ANSWER_BYTES + 2 * len(model), (header, model))
        if answer is None and monotonic() - start >= timeout_s:
            raise InvalidModelError(f"{subject} took longer than {timeout_s:g} s; make it smaller.")
        if answer is None:
            raise InvalidModelError(f"{subject} crashed the process that did it; check it with onnx.checker.")
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
        except (
            OSError,
            ValueError,
            TypeError,
            RecursionError,
        ):  # the time is over, the process has ended, or says no message
            return None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # closing flushes what a killed process never read
                if stream is not None:
                    stream.close()
