"""ONNX Runtime on the CPU."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from latcast.schema import (
    Availability,
    BackendUnavailableError,
    InvalidModelError,
    LatcastError,
    ProfileSettings,
    TensorSpec,
)
from profilers.backends.base import Backend, Feeds, KernelRecord, Session
from profilers.backends.checks import check_precision, checked_options, memory_error, probe_package
from profilers.backends.repetition import MOST_RUNS, PROFILED_WARMUP_RUNS, run_profiled
from profilers.quantisation import INT8_PRECISIONS, prepared

__all__ = ["OnnxRuntimeBackend", "OnnxRuntimeSession"]

RUNTIME = "ONNX Runtime"
PROVIDERS = ["CPUExecutionProvider"]
LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
SPINNING = {"off": "0", "on": "1"}
WARNINGS_AND_WORSE_ARE_QUIET = 3
CODES = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
SOURCES = re.compile(r"/\S+\.(?:cc|cpp|h):\d+ [^\n]*?\) (?=[A-Z])")
"""Where in the runtime's own source a message comes from, with the function's signature."""
PATHS = re.compile(r"^Load model from .*?\.onnx failed:\s*", re.DOTALL)
MOST_TRACE_BYTES = 128 * 2**20
"""Of a profiler's trace, a third of a kilobyte an event: it is read into memory, several times its size."""
LEAST_TRACED_RUNS = 3
DTYPES = {"float": "float32", "double": "float64"}


class OnnxRuntimeBackend(Backend):
    """ONNX Runtime's CPU execution provider, sequential execution, one inter-operator thread.

    The precisions `int8_dynamic` and `int8_static` quantise the model first (see `profilers.quantisation`).

    Options: `optimisation` (disabled, basic, extended, all) is the level of graph optimisation; each level is a
    target of its own, for fusion differs. `spinning` (off, on) says whether idle worker threads busy-wait; it is off
    by default, because a spinning session takes cores from whatever else the host does.
    """

    name: ClassVar[str] = "onnxruntime"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", *INT8_PRECISIONS, "as_given")
    default_options: ClassVar[Mapping[str, str]] = {"optimisation": "all", "spinning": "off"}
    option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "optimisation": tuple(LEVELS),
        "spinning": tuple(SPINNING),
    }
    prepared_precisions: ClassVar[frozenset[str]] = frozenset(INT8_PRECISIONS)

    def probe(self) -> Availability:
        """Found through the package's metadata: nothing is imported."""
        return probe_package("onnxruntime", runtime=RUNTIME, extra="agent", precisions=self.precisions)

    def prepare(self, model: bytes, settings: ProfileSettings, feeds: Sequence[Feeds] = ()) -> bytes:
        """Quantised, where the precision is int8."""
        return prepared(model, settings.precision, feeds)

    @contextmanager
    def open(self, model: bytes, settings: ProfileSettings) -> Iterator["OnnxRuntimeSession"]:
        """A session for the model; see the base class."""
        with self._opened(model, settings) as session:
            yield session

    @contextmanager
    def open_file(self, path: Path, settings: ProfileSettings) -> Iterator["OnnxRuntimeSession"]:
        """A session for the model in a file, which the runtime reads by itself; see the base class."""
        is_prepared = settings.precision in self.prepared_precisions
        with self.open(path.read_bytes(), settings) if is_prepared else self._opened(path, settings) as session:
            yield session

    def _opened(self, model: bytes | Path, settings: ProfileSettings) -> "closing[OnnxRuntimeSession]":
        check_precision(RUNTIME, settings.precision, self)
        options = checked_options(RUNTIME, settings.options, self)
        content = self.prepare(model, settings) if isinstance(model, bytes) else model
        return closing(OnnxRuntimeSession(content, settings, options))


class OnnxRuntimeSession(Session):
    """An `InferenceSession` and the settings to make it again with the profiler on."""

    def __init__(self, model: bytes | Path, settings: ProfileSettings, options: Mapping[str, str]) -> None:
        self._model, self._settings, self._options = model, settings, options
        self._plain: Any = self._create(model, self._session_options())
        self._inputs = tuple(_spec(argument) for argument in self._plain.get_inputs())
        self._output_names = [argument.name for argument in self._plain.get_outputs()]

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that have to be fed."""
        return self._inputs

    def run(self, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
        """Run once; outputs by name."""
        if self._plain is None:
            self._plain = self._create(self._model, self._session_options())
        try:
            return dict(zip(self._output_names, self._plain.run(self._output_names, feeds), strict=True))
        except Exception as error:  # the runtime's exceptions share no base class
            raise memory_error(error, _words(error)) or RuntimeError(_words(error)) from error

    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...]:
        """Kernel times out of the runtime's own profiler.

        The plain session gives way to the profiled one, so that the weights are in memory once.
        """
        self.close()
        with tempfile.TemporaryDirectory(prefix="latcast-") as folder:
            return self._profiled(feeds, Path(folder))

    def close(self) -> None:
        """Free the runtime's session; the next `run` makes a new one."""
        self._plain = None

    def _create(self, model: bytes | Path, options: Any) -> Any:
        runtime = _import_runtime()
        source = model if isinstance(model, bytes) else str(model)
        try:
            return runtime.InferenceSession(source, options, providers=PROVIDERS)
        except Exception as error:  # the runtime's exceptions share no base class
            problem = InvalidModelError(f"ONNX Runtime refuses the model: {_words(error)}")
            raise memory_error(error, _words(error)) or problem from error

    def _session_options(self) -> Any:
        runtime = _import_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._settings.threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = getattr(
            runtime.GraphOptimizationLevel, LEVELS[self._options["optimisation"]]
        )
        options.log_severity_level = WARNINGS_AND_WORSE_ARE_QUIET
        spinning = SPINNING[self._options["spinning"]]
        options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
        return options

    def _profiled(self, feeds: Feeds, folder: Path) -> tuple[KernelRecord, ...]:
        from profilers.backends.node_names import name_nodes_by_output  # imports onnx
        from profilers.backends.onnxruntime_trace import has_loops, read_kernels

        model = folder / "named.onnx"
        nodes = name_nodes_by_output(self._model, model)
        tensors = frozenset(name for node in nodes for name in node.output if name)
        options = self._session_options()
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "trace")
        optimised = folder / "optimised.onnx"
        options.optimized_model_filepath = str(optimised)
        _discard_weights(options, folder)
        session = self._create(model, options)
        session.run(self._output_names, feeds)
        warmup, most = PROFILED_WARMUP_RUNS, MOST_RUNS
        if has_loops(nodes):
            warmup, most = _affordable(_trace_bytes(session))
            session = self._create(model, options)
            session.run(self._output_names, feeds)
        for _ in range(warmup - 1):
            session.run(self._output_names, feeds)
        run_profiled(lambda: session.run(self._output_names, feeds), most=most)
        trace = Path(session.end_profiling())
        return read_kernels(trace, optimised, tensors=tensors, warmup=warmup)


def _import_runtime() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # has to be there before the import
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendUnavailableError(f"ONNX Runtime cannot be imported: {error}.") from error
    return onnxruntime


def _trace_bytes(session: Any) -> int:
    """Size of the trace of what a session has run so far; the trace is deleted."""
    path = Path(session.end_profiling())
    size = path.stat().st_size
    path.unlink()
    return size


def _affordable(trace_bytes: int) -> tuple[int, int]:
    """(warming runs, runs) of a loop's body that a trace can hold.

    Args:
        trace_bytes: size of the trace of one run.

    Raises:
        LatcastError: not even three runs.
    """
    runs = MOST_TRACE_BYTES // max(1, trace_bytes)
    if runs < LEAST_TRACED_RUNS:
        raise LatcastError(
            f"One run makes {trace_bytes / 2**20:,.0f} MiB of the profiler's records, because its loops run often: "
            "their kernels are not timed one by one."
        )
    warmup = min(PROFILED_WARMUP_RUNS, runs // 3)
    return warmup, min(runs - warmup, MOST_RUNS)


def _discard_weights(options: Any, folder: Path) -> None:
    """Only the optimised graph's structure is wanted: its weights go to the null device, not to the disk."""
    (folder / "weights").symlink_to(os.devnull)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "64")


def _spec(argument: Any) -> TensorSpec:
    element = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else 1 for size in argument.shape)
    return TensorSpec(name=argument.name, dtype=DTYPES.get(element, element), shape=shape)


def _words(error: Exception) -> str:
    """The runtime's message without its prefix of codes, lines of its source, and the path of a temporary file."""
    return SOURCES.sub("", PATHS.sub("", CODES.sub("", str(error).strip())))
