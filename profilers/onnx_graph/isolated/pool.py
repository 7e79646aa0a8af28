"""Long-lived processes with limits, which read foreign models and build those of texts.

A request names the model and the parts that are wanted of it; the answer has the graph's hash and each part, as JSON
values and arrays, or the error of that part. Nothing else of a foreign model reaches the process that asks.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from queue import Empty, LifoQueue
from threading import Lock
from typing import Any

from latcast.schema import Architecture, GraphHash, InputError, InvalidModelError, LatcastError
from profilers.host.cancellation import check_wanted
from profilers.host.child_limits import ChildLimits
from profilers.host.long_lived import ChildEndedError, LongLivedChild
from profilers.host.messages import Message
from profilers.onnx_graph.isolated.arrays import Arrays, unpack_arrays
from profilers.onnx_graph.isolated.encoding import checked_remarks, decode_error, malformed_answer
from profilers.onnx_graph.isolated.model_file import ModelFile
from profilers.onnx_graph.limits import Limits

__all__ = [
    "MEMORY_BYTES",
    "ForeignModel",
    "ModelPart",
    "ModelText",
    "Part",
    "Read",
    "ReaderPool",
    "Source",
    "read_answer",
    "request_of",
]

MEMORY_BYTES = 900 * 2**20
"""What two workers may take stays below 2 GiB, with their interpreters."""
ANSWER_BYTES = 128 * 2**20
"""Largest answer, besides a model that is asked for."""
LOOK_S = 0.1
"""How often a call that waits for a worker looks whether it is still wanted."""

Part = tuple[str | int, ...]
"""Name of a part, and what it depends on besides the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModel:
    """A model that somebody sent, or that was stored of one.

    Args:
        content: a whole ONNX file, or a weight-stripped one.
        shapes: whole shape of each input that has dynamic dimensions, by input name.
        dims: size of each symbol of such dimensions, by symbol; whole shapes count before them.
        batch: first dimension of all inputs, in place of what the file says; see `change_batch`.
        compressed: whether the content is compressed with zlib, as stored models are.
    """

    content: bytes | ModelFile
    shapes: Mapping[str, Sequence[int]] | None = None
    dims: Mapping[str, int] | None = None
    batch: int | None = None
    compressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelText:
    """A network that is built from an architecture's text in normal form."""

    architecture: Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPart:
    """One part of a network (`profilers.search_spaces.chains`), by itself.

    Args:
        architecture: whose network has it.
        place: of the part among those of the network (`SearchSpace.parts`).
        shape: of what it reads.
    """

    architecture: Architecture
    place: int
    shape: tuple[int, ...]


Source = ForeignModel | ModelText | ModelPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of a model.

    Args:
        hash: of its graph.
        flops: floating-point operations of one run.
        size: nodes, those of bodies included.
        remarks: what people should be told of it.
        parts: (JSON values, arrays) of each part that was asked for, in that order, or why there is none.
    """

    hash: GraphHash
    flops: int
    size: int
    remarks: tuple[str, ...] = ()
    parts: Sequence[tuple[Any, Arrays] | InputError] = field(default_factory=tuple)

    def arrays(self, place: int) -> Arrays:
        """The arrays of a part.

        Raises:
            InputError: why there is none.
        """
        part = self.parts[place]
        if isinstance(part, InputError):
            raise part
        return part[1]


class ReaderPool:
    """Long-lived worker processes that cannot hurt the one that asks.

    Workers start when they are first needed, live for many models, and are replaced after a crash or a timeout, when
    they hold too much memory between models, and when nobody waits for their answer any more. Each has limits on
    address space and processor time, cannot write files, and inherits neither handles nor secrets of the environment.
    Thread-safe; a call waits while all workers are busy.

    Args:
        module: what runs in a worker; as a program it calls `profilers.onnx_graph.isolated.child.serve`.
        limits: caps on a model, as for `load_graph`.
        timeout_s: limit for one model, of wall-clock and of processor time.
        memory_bytes: address space that a worker may add to what its interpreter has.
        workers: how many models may be read at a time.
    """

    def __init__(self, module: str, *, limits: Limits, timeout_s: float, memory_bytes: int, workers: int) -> None:
        self._module, self._limits = module, limits
        self._bounds = ChildLimits(timeout_s=timeout_s, memory_bytes=memory_bytes, file_bytes=0, cpu_s=timeout_s)
        self._idle: LifoQueue[LongLivedChild | None] = LifoQueue()  # who is warm is asked before another is started
        self._workers = workers
        self._lock, self._closed = Lock(), False
        for _ in range(workers):
            self._idle.put(None)

    def read(self, source: Source, parts: Sequence[Part]) -> Read:
        """What a worker reads of a model.

        Raises:
            InvalidModelError: as `load_graph`, or reading it took too much time or memory or crashed.
            UnknownNameError, InvalidArchitectureError: the text is none of a search space that is registered.
            WorkCancelledError: nobody waits for it any more.
        """
        header, payload = request_of(source, self._limits)
        return read_answer(*self._exchange({**header, "parts": [list(part) for part in parts]}, payload), len(parts))

    def start_one(self) -> None:
        """Have a worker ready before somebody needs it; starting one takes half a second. It may fail in silence:
        whoever needs one is told why there is none.
        """
        try:
            worker = self._idle.get_nowait()
        except Empty:
            return
        try:
            if worker is None and not self._closed:
                with suppress(LatcastError):
                    worker = self._started()
        finally:
            self._idle.put(worker)

    @property
    def is_closed(self) -> bool:
        """Whether it reads no more."""
        return self._closed

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

    def _exchange(self, header: dict[str, Any], payload: bytes | ModelFile) -> Message:
        worker = self._next()
        healthy = False
        try:
            if self._closed:
                raise LatcastError("The graph loader is closed.")
            worker = worker or self._started()
            answer = worker.exchange(header, payload, largest=ANSWER_BYTES + 2 * len(payload))
            healthy = not answer[0].get("retires")
            return answer
        except ChildEndedError as ended:
            raise self._refusal(header, ended) from ended
        finally:
            if worker is not None and not healthy:
                worker.close()
            self._idle.put(worker if healthy else None)

    def _next(self) -> LongLivedChild | None:
        """A worker that is idle; None where one may be started."""
        while True:
            check_wanted()
            try:
                return self._idle.get(timeout=LOOK_S)
            except Empty:
                continue

    def _started(self) -> LongLivedChild:
        setup = {"limits": asdict(self._limits)}
        try:
            return LongLivedChild(self._module, setup, self._bounds, hostile=True)
        except ChildEndedError as ended:
            raise LatcastError(
                "The process that reads models did not start: is latcast installed for this Python?"
            ) from ended

    def _refusal(self, header: dict[str, Any], ended: ChildEndedError) -> InvalidModelError:
        subject = "Building the network" if header["operation"] == "build" else "Reading the model"
        if ended.timed_out:
            return InvalidModelError(f"{subject} took longer than {self._bounds.timeout_s:g} s; make it smaller.")
        return InvalidModelError(f"{subject} crashed the process that did it; check it with onnx.checker.")


def request_of(source: Source, limits: Limits) -> tuple[dict[str, Any], bytes | ModelFile]:
    """What a worker is sent of a model.

    Raises:
        ModelLimitError: it is larger than a model may be.
    """
    if isinstance(source, ModelText | ModelPart):
        asked = {"operation": "build", "space": source.architecture.space, "text": source.architecture.text}
        part = {"place": source.place, "shape": list(source.shape)} if isinstance(source, ModelPart) else {}
        return asked | part, b""
    limits.check("model_bytes", len(source.content), "bytes")
    shapes = None if source.shapes is None else {name: list(shape) for name, shape in source.shapes.items()}
    bound = {"shapes": shapes or None, "dims": dict(source.dims) if source.dims else None}
    header = {"operation": "read", **bound, "batch": source.batch, "compressed": source.compressed}
    return header, source.content


def read_answer(answer: Mapping[str, Any], payload: bytes, count: int) -> Read:
    """A worker's answer, checked: a hostile model may have corrupted its memory.

    Raises:
        InputError: the error that it answered, or it is no answer to a request for so many parts.
    """
    if "error" in answer:
        raise decode_error(answer["error"])
    try:
        return _read(answer, payload, count)
    except (ValueError, KeyError, TypeError, IndexError):
        raise malformed_answer() from None


def _read(answer: Mapping[str, Any], payload: bytes, count: int) -> Read:
    arrays = unpack_arrays(answer["arrays"], payload, largest=len(payload))
    if len(answer["parts"]) != count or not isinstance(answer["hash"], str):
        raise ValueError("not what was asked for")
    parts = [
        decode_error(part["error"]) if "error" in part else (part["plain"], _of_part(arrays, f"{place}."))
        for place, part in enumerate(answer["parts"])
    ]
    remarks = checked_remarks(answer["remarks"])
    return Read(hash=answer["hash"], flops=int(answer["flops"]), size=int(answer["size"]), remarks=remarks, parts=parts)


def _of_part(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
