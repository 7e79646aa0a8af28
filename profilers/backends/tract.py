"""tract, an inference engine in Rust, on one CPU."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from latcast.schema import (
    Availability,
    BackendUnavailableError,
    InputError,
    InvalidModelError,
    ProfileSettings,
    TensorSpec,
)
from profilers.backends.base import Backend, Feeds, KernelRecord, Session
from profilers.backends.checks import check_precision, checked_options, memory_error, probe_package

__all__ = ["TractBackend", "TractSession"]

RUNTIME = "tract"
UNKNOWN_OPERATOR = re.compile(r"Unimplemented\((\w+)\)")
NUMBERED = re.compile(r"^\s*\d+: ", re.MULTILINE)


class TractBackend(Backend):
    """tract with its optimised operators. It computes in one thread, and has nothing to set."""

    name: ClassVar[str] = "tract"
    profiling_seconds: ClassVar[float] = 5.0
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "as_given")
    most_threads: ClassVar[int | None] = 1

    def probe(self) -> Availability:
        """Found through the package's metadata: nothing is imported."""
        return probe_package("tract", runtime=RUNTIME, extra="tract", precisions=self.precisions)

    def open(self, model: bytes, settings: ProfileSettings) -> AbstractContextManager["TractSession"]:
        """A session for the model; see the base class."""
        return self._opened(model, settings)

    def open_file(self, path: Path, settings: ProfileSettings) -> AbstractContextManager["TractSession"]:
        """A session for the model in a file, which the runtime reads by itself; see the base class."""
        return self._opened(path, settings)

    @contextmanager
    def _opened(self, model: bytes | Path, settings: ProfileSettings) -> Iterator["TractSession"]:
        check_precision(RUNTIME, settings.precision, self)
        checked_options(RUNTIME, settings.options, self)
        if settings.threads != 1:
            raise InputError(f"tract computes in one thread, not in {settings.threads}.")
        with closing(TractSession(model)) as session:
            yield session


class TractSession(Session):
    """A runnable model; every run has a state of its own, so that recurrent networks begin anew."""

    def __init__(self, model: bytes | Path) -> None:
        from latcast.onnx_files import without_weights
        from profilers.backends.declared import declared_tensors, parsed_graph  # imports onnx

        self._model = model
        self._inputs, outputs = declared_tensors(parsed_graph(without_weights(model), RUNTIME))
        self._output_names = [spec.name for spec in outputs]
        self._runnable: Any = _load(model)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that have to be fed."""
        return self._inputs

    def run(self, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
        """Run once; outputs by name."""
        if self._runnable is None:
            self._runnable = _load(self._model)
        try:
            results = self._runnable.run([feeds[spec.name] for spec in self._inputs])
            return {name: tensor.to_numpy() for name, tensor in zip(self._output_names, results, strict=True)}
        except Exception as error:  # the runtime's exceptions share no base class
            raise memory_error(error, _words(error)) or RuntimeError(_words(error)) from error

    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...]:
        """Kernel times out of tract's own profiler, which runs the model for five seconds.

        The plain session gives way to the profiled one, so that the weights are in memory once.
        """
        from profilers.backends.node_names import name_nodes_by_position, position, produced  # imports onnx

        self.close()
        with tempfile.TemporaryDirectory(prefix="latcast-") as folder:
            named = Path(folder) / "named.onnx"
            nodes = name_nodes_by_position(self._model, named)
            runnable = _load(named)
        profile = json.loads(runnable.profile_json([feeds[spec.name] for spec in self._inputs]))
        return tuple(
            KernelRecord(
                operator=entry["op_name"],
                time_us=entry["secs_per_iter"] * 1e6,
                outputs=() if (index := position(entry["node_name"])) is None else produced(nodes[index]),
            )
            for entry in sorted(profile["nodes"], key=lambda entry: entry["qualified_id"][1])
            if not entry["qualified_id"][0] and entry.get("secs_per_iter")  # a body's time is in its operator's
        )

    def close(self) -> None:
        """Free the runnable; the next `run` makes a new one."""
        self._runnable = None


def _load(model: bytes | Path) -> Any:
    """The model, read and optimised; tract wants a file."""
    if isinstance(model, bytes):
        with tempfile.NamedTemporaryFile(prefix="latcast-", suffix=".onnx") as file:
            file.write(model)
            file.flush()
            return _load(Path(file.name))
    runtime = _import_runtime()
    try:
        return runtime.onnx().load(str(model)).into_model().into_runnable()
    except Exception as error:  # the runtime's exceptions share no base class
        problem = InvalidModelError(f"tract refuses the model: {_words(error)}")
        raise memory_error(error, _words(error)) or problem from error


def _import_runtime() -> Any:
    try:
        import tract
    except (ImportError, OSError) as error:  # it loads its library by itself
        raise BackendUnavailableError(f"tract cannot be imported: {error}.") from error
    return tract


def _words(error: Exception) -> str:
    """The runtime's message and its causes, without the stack."""
    text = str(error).partition("Stack backtrace:")[0].strip()
    unknown = UNKNOWN_OPERATOR.search(text)
    if unknown:
        return f"it has no operator {unknown[1]}."
    message, _, causes = text.partition("Caused by:")
    listed = [cause.strip() for cause in NUMBERED.sub("", causes).splitlines() if cause.strip()]
    return ": ".join([message.strip(), *listed])
