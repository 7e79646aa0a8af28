"""Reading hostile models and building networks of texts in processes of their own, with limits on memory and time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, Self

from latcast.schema import Architecture, Graph, InvalidModelError, LatcastError
from profilers.host.child_limits import ChildLimits
from profilers.host.long_lived import ANSWER_BYTES, ChildEndedError, LongLivedChild
from profilers.host.messages import Message
from profilers.onnx_graph.isolated.arrays import unpack_arrays
from profilers.onnx_graph.isolated.cache import KnownModels
from profilers.onnx_graph.isolated.encoding import decode_error, decode_graph, malformed_answer
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.limits import Limits

__all__ = ["GraphLoader", "PreparedModel"]


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
        self._limits = limits
        self._bounds = ChildLimits(timeout_s=timeout_s, memory_bytes=memory_bytes, file_bytes=0)
        self._idle: SimpleQueue[LongLivedChild | None] = SimpleQueue()
        self._workers = workers
        self._known: KnownModels[Graph] = KnownModels()
        self._lock, self._closed = Lock(), False
        for _ in range(workers):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def load(
        self,
        model: bytes | ModelFile,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Graph:
        """The graph of a model.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.

        Raises:
            InvalidModelError: as `load_graph`, or reading it took too much time or memory or crashed.
        """
        kept = None if self._closed else self._known.get(model, shapes, dims)
        return kept or self._known.keep(model, shapes, self._read(model, shapes, dims, strip=False).graph, dims)

    def prepare(
        self,
        model: bytes | ModelFile,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        dims: Mapping[str, int] | None = None,
        batch: int | None = None,
    ) -> PreparedModel:
        """The graph, and the model with its shapes bound and its weights stripped.

        Args:
            model: a whole ONNX file, or a weight-stripped one.
            shapes: whole shape of each input that has dynamic dimensions, by input name.
            dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.
            batch: first dimension of all inputs, in place of what the file says; see `change_batch`.

        Raises:
            InvalidModelError: as `load`.
        """
        return self._read(model, shapes, dims, strip=True, batch=batch)

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

    def _read(
        self,
        model: bytes | ModelFile,
        shapes: Mapping[str, Sequence[int]] | None,
        dims: Mapping[str, int] | None,
        *,
        strip: bool,
        batch: int | None = None,
    ) -> PreparedModel:
        self._limits.check("model_bytes", len(model), "bytes")
        plain = None if shapes is None else {name: list(shape) for name, shape in shapes.items()}
        bound = {"shapes": plain, "dims": None if dims is None else dict(dims)}
        return self._ask({"operation": "read", **bound, "strip": strip, "batch": batch}, model)

    def _build(self, architecture: Architecture, *, strip: bool) -> PreparedModel:
        named = {"space": architecture.space, "text": architecture.text}
        return self._ask({"operation": "build", "strip": strip, **named}, b"")

    def _ask(self, header: dict[str, Any], model: bytes | ModelFile) -> PreparedModel:
        answer, payload = self._exchange(header, model)
        if "error" in answer:
            raise decode_error(answer["error"])
        try:
            arrays = unpack_arrays(answer.get("arrays"), payload, largest=len(payload))
            graph, stripped = arrays["graph"].tobytes(), arrays["model"].tobytes() if header["strip"] else b""
        except (ValueError, KeyError):
            raise malformed_answer() from None
        return PreparedModel(decode_graph(graph), stripped)

    def _exchange(self, header: dict[str, Any], model: bytes | ModelFile) -> Message:
        worker = self._idle.get()
        healthy = False
        try:
            if self._closed:
                raise LatcastError("The graph loader is closed.")
            worker = worker or self._started()
            answer = worker.exchange(header, model, largest=ANSWER_BYTES + 2 * len(model))
            healthy = True
            return answer
        except ChildEndedError as ended:
            raise self._refusal(header, ended) from ended
        finally:
            if worker is not None and not healthy:
                worker.close()
            self._idle.put(worker if healthy else None)

    def _started(self) -> LongLivedChild:
        setup = {"limits": asdict(self._limits)}
        try:
            return LongLivedChild("profilers.onnx_graph.isolated.child", setup, self._bounds, hostile=True)
        except ChildEndedError as ended:
            raise LatcastError(
                "The process that reads models did not start: is latcast installed for this Python?"
            ) from ended

    def _refusal(self, header: dict[str, Any], ended: ChildEndedError) -> InvalidModelError:
        subject = "Building the network" if header["operation"] == "build" else "Reading the model"
        if ended.timed_out:
            return InvalidModelError(f"{subject} took longer than {self._bounds.timeout_s:g} s; make it smaller.")
        return InvalidModelError(f"{subject} crashed the process that did it; check it with onnx.checker.")
