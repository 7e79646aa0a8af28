"""What a runtime has to offer to be measured."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from latcast.schema import Availability, ProfileSettings, TensorSpec

__all__ = ["Backend", "KernelRecord", "Session"]

Feeds = Mapping[str, np.ndarray[Any, Any]]


class KernelRecord:
    """One kernel as the runtime reports it, before it is matched with the model's graph.

    Args:
        operator: the runtime's name of the kernel, for example `FusedConv`.
        time_us: its time in one profiled run, in µs (a robust average over the profiled runs).
        outputs: names of the tensors it produces, as in the model where the runtime kept them.
        input_shapes, output_shapes: shapes of its tensors as executed.
        dtype: type of its first output.
    """

    __slots__ = ("dtype", "input_shapes", "operator", "output_shapes", "outputs", "time_us")

    def __init__(
        self,
        *,
        operator: str,
        time_us: float,
        outputs: tuple[str, ...] = (),
        input_shapes: tuple[tuple[int, ...], ...] = (),
        output_shapes: tuple[tuple[int, ...], ...] = (),
        dtype: str = "",
    ) -> None:
        self.operator, self.time_us, self.outputs = operator, time_us, outputs
        self.input_shapes, self.output_shapes, self.dtype = input_shapes, output_shapes, dtype


class Session(ABC):
    """A model that is ready to run. Belongs to the thread that opened it; freed when its context ends."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that have to be fed, in the model's order."""

    @abstractmethod
    def run(self, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
        """Run once and block until it is complete; never times. Outputs by name."""

    @abstractmethod
    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...] | None:
        """Run a few times with the runtime's profiler on; None where it offers no kernel times."""


class Backend(ABC):
    """A runtime. Constructed without arguments, holds no state; everything costly happens in `open`."""

    name: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    """Every precision the backend knows, whether this machine computes in it or not; `probe` says which it does."""
    default_options: ClassVar[Mapping[str, str]] = {}
    """Every option the backend knows, with its value by default; part of the target's identity."""
    option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Values that an option may have; one that is missing here may have any."""
    prepared_precisions: ClassVar[frozenset[str]] = frozenset()
    """Precisions for which a model has to be prepared first."""
    profiling_seconds: ClassVar[float] = 0.5
    """What `Session.kernels` takes at least, however fast the model; campaigns of thousands may do without."""
    most_threads: ClassVar[int | None] = None
    """How many threads it can use at most; None where only the machine sets a limit."""
    for_tests: ClassVar[bool] = False
    """Whether it measures nothing that is real: such a backend works where it is named, and is offered nowhere."""

    @abstractmethod
    def probe(self) -> Availability:
        """Whether this machine has the runtime, and in which version. Never raises."""

    def prepare(self, model: bytes, settings: ProfileSettings, feeds: Sequence[Feeds] = ()) -> bytes:
        """The model as `open` wants it for the precision, if its precision is in `prepared_precisions`.

        It is called once before measuring, in a process of its own, for it belongs neither to the loading time of a
        model nor to its memory. `open` does it itself where that was left out. A model that is prepared stays as it is.

        Args:
            model: a whole ONNX model with static shapes and with weights.
            settings: they have the precision.
            feeds: a few sets of inputs, for a precision that depends on them.

        Raises:
            InvalidModelError: the model cannot be had in this precision.
        """
        return model

    @abstractmethod
    def open(self, model: bytes, settings: ProfileSettings) -> AbstractContextManager[Session]:
        """A session for the model.

        Args:
            model: a whole ONNX model with static shapes and with weights.
            settings: threads, precision and options are honoured; the rest is the profile loop's business.

        Raises:
            BackendUnavailableError: the runtime is missing.
            InvalidModelError: the runtime refuses the model; carries the runtime's words.
            InputError: an option or a precision that the backend does not know.
        """

    def open_file(self, path: Path, settings: ProfileSettings) -> AbstractContextManager[Session]:
        """A session for a model in a file, as `open` has it for one in memory.

        A runtime that reads files by itself should be given the path: then weights are never in memory beside its own
        copy of them. By default the file is read for `open`.

        Args:
            path: of a model as `open` takes it; the file stays as it is as long as the session.
            settings: as for `open`.
        """
        return self.open(path.read_bytes(), settings)
