"""A backend without a runtime: for trying the service on a machine that has none, and for testing what goes wrong."""

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import onnx

from latcast.schema import Availability, InputError, ProfileSettings, TensorSpec
from profilers.backends.base import Backend, Feeds, KernelRecord, Session
from profilers.backends.checks import check_precision, checked_options
from profilers.backends.declared import declared_tensors, parsed_graph

__all__ = ["FAULTS", "FakeBackend", "FakeSession"]

Sleep = Callable[[float], None]

RUNTIME = "The fake backend"
NS_PER_NODE, NS_PER_ELEMENT = 20_000, 1


def _crash() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    while True:
        time.sleep(3600)


def _devour_memory() -> None:
    held = []
    while True:
        held.append(bytearray(2**26))


def _leave() -> None:
    os._exit(3)


def _fail() -> None:
    raise RuntimeError("The fake runtime failed, as it was asked to.")


FAULTS: Mapping[str, Callable[[], None]] = {
    "none": lambda: None, "crash": _crash, "hang": _hang, "memory": _devour_memory, "exit": _leave, "error": _fail,
}  # fmt: skip
"""What can be made to go wrong in a run: a segmentation fault, a hang, all memory taken, an exit, an exception."""


class FakeBackend(Backend):
    """Gives outputs of the right shapes, after a time that depends on the model alone.

    Options: `latency_us` is the time of one run; by default it follows from the model, 20 µs for each node and 1 ns for
    each element of the inputs. `fault` is what goes wrong in every run, one of `FAULTS`.

    Args:
        sleep: lets time pass, in seconds; tests give one that moves their own clock.
    """

    name: ClassVar[str] = "fake"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "as_given")
    default_options: ClassVar[Mapping[str, str]] = {"latency_us": "", "fault": "none"}
    option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"fault": tuple(FAULTS)}
    for_tests: ClassVar[bool] = True

    def __init__(self, sleep: Sleep = time.sleep) -> None:
        self._sleep = sleep

    def probe(self) -> Availability:
        """Always available."""
        return Availability(ok=True, version="1", precisions=self.precisions)

    @contextmanager
    def open(self, model: bytes, settings: ProfileSettings) -> Iterator["FakeSession"]:
        """A session for the model; see the base class."""
        options = checked_options(RUNTIME, settings.options, self)
        check_precision(RUNTIME, settings.precision, self)
        fault, latency_us = FAULTS[options["fault"]], _latency_us(options["latency_us"])
        yield FakeSession(parsed_graph(model, RUNTIME), latency_us=latency_us, fault=fault, sleep=self._sleep)


def _latency_us(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InputError(f"The option latency_us has to be a number of microseconds, not {text!r}.") from error


class FakeSession(Session):
    """Runs nothing; see `FakeBackend`."""

    def __init__(
        self, graph: onnx.GraphProto, *, latency_us: float | None, fault: Callable[[], None], sleep: Sleep
    ) -> None:
        self._graph, self._fault, self._sleep = graph, fault, sleep
        self._inputs, self._outputs = declared_tensors(graph)
        modelled_ns = NS_PER_NODE * len(graph.node) + NS_PER_ELEMENT * sum(spec.elements for spec in self._inputs)
        self._latency_us = modelled_ns / 1e3 if latency_us is None else latency_us

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs of the model."""
        return self._inputs

    def run(self, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
        """Zeros, after the latency has passed."""
        self._fault()
        self._sleep(self._latency_us / 1e6)
        return {spec.name: np.zeros(spec.shape or (), spec.dtype or "float32") for spec in self._outputs}

    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...]:
        """One kernel for each node, all of the same time."""
        each_us = self._latency_us / max(1, len(self._graph.node))
        return tuple(
            KernelRecord(operator=node.op_type, time_us=each_us, outputs=tuple(node.output), dtype="float32")
            for node in self._graph.node
        )
