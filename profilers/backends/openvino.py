"""OpenVINO on the CPU."""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
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
from latcast.schema.counting import counted
from profilers.backends.base import Backend, Feeds, KernelRecord, Session
from profilers.backends.checks import check_precision, checked_options, memory_error, probe_package
from profilers.backends.repetition import PROFILED_WARMUP_RUNS, run_profiled
from profilers.host.device import describe_device
from profilers.quantisation import prepared

__all__ = ["OpenVinoBackend", "OpenVinoSession"]

RUNTIME = "OpenVINO"
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "int8_static": "f32", "as_given": "f32"}
"""Our names → OpenVINO's inference precision."""
BF16_FEATURES = frozenset({"avx512bw", "amx_bf16", "bf16"})
"""Any of these, and the CPU plugin computes in bfloat16; with AVX-512 alone it emulates the dot product."""

SOURCE_LINE = re.compile(r"^(Exception from|Check '.*' failed at|While validating|FrontEnd API failed)")
UNKNOWN_OPERATORS = re.compile(r"No conversion rule found for operations: (.+)")
FAILED_OPERATORS = re.compile(r"Conversion is failed for: (.+)")
UNREADABLE = re.compile(r"^.*?Unable to read the model\b.*", re.DOTALL)
OPSET = re.compile(r"-\d+(?=,|$)")


class OpenVinoBackend(Backend):
    """OpenVINO's CPU plugin with the latency hint and one stream.

    The inference precision is always explicit, because OpenVINO would otherwise choose bfloat16 wherever the processor
    has instructions for it. `int8_static` quantises the model first (see `profilers.quantisation`); what is not
    quantised in it, or in a model `as_given`, is computed in float32. Telemetry is off.
    """

    name: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[str, ...]] = tuple(PRECISIONS)
    prepared_precisions: ClassVar[frozenset[str]] = frozenset({"int8_static"})

    def probe(self) -> Availability:
        """Found through the package's metadata: nothing is imported."""
        usable = [name for name in self.precisions if name != "bf16" or BF16_FEATURES & set(describe_device().features)]
        return probe_package("openvino", runtime=RUNTIME, extra="openvino", precisions=usable)

    def prepare(self, model: bytes, settings: ProfileSettings, feeds: Sequence[Feeds] = ()) -> bytes:
        """Quantised, where the precision is int8."""
        return prepared(model, settings.precision, feeds)

    @contextmanager
    def open(self, model: bytes, settings: ProfileSettings) -> Iterator["OpenVinoSession"]:
        """A session for the model; see the base class."""
        with self._opened(model, settings) as session:
            yield session

    @contextmanager
    def open_file(self, path: Path, settings: ProfileSettings) -> Iterator["OpenVinoSession"]:
        """A session for the model in a file, which the runtime reads by itself; see the base class."""
        is_prepared = settings.precision in self.prepared_precisions
        with self.open(path.read_bytes(), settings) if is_prepared else self._opened(path, settings) as session:
            yield session

    def _opened(self, model: bytes | Path, settings: ProfileSettings) -> "closing[OpenVinoSession]":
        check_precision(RUNTIME, settings.precision, self)
        checked_options(RUNTIME, settings.options, self)
        content = self.prepare(model, settings) if isinstance(model, bytes) else model
        return closing(OpenVinoSession(content, settings))


class OpenVinoSession(Session):
    """A compiled model and the settings to compile it again with performance counters."""

    def __init__(self, model: bytes | Path, settings: ProfileSettings) -> None:
        self._model, self._settings = model, settings
        self._core = _import_runtime().Core()
        self._plain: Any = self._compile(model, {})
        self._inputs = tuple(_spec(port) for port in self._plain.inputs)
        self._check_what_was_granted()
        self._request: Any = self._plain.create_infer_request()

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Inputs that have to be fed."""
        return self._inputs

    def run(self, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
        """Run once; outputs by name."""
        if self._request is None:
            self._plain = self._compile(self._model, {})
            self._request = self._plain.create_infer_request()
        return _infer(self._request, feeds)

    def kernels(self, feeds: Feeds) -> tuple[KernelRecord, ...]:
        """Kernel times out of OpenVINO's performance counters.

        The plain session gives way to the one that counts, so that the weights are in memory once.
        """
        from profilers.backends.node_names import name_nodes_by_position  # imports onnx
        from profilers.backends.openvino_kernels import KernelReader

        self.close()
        with tempfile.TemporaryDirectory(prefix="latcast-") as folder:
            named = Path(folder) / "named.onnx"
            nodes = name_nodes_by_position(self._model, named)
            compiled = self._compile(named, {"PERF_COUNT": True})
        request = compiled.create_infer_request()
        reader = KernelReader(compiled.get_runtime_model(), nodes)
        for _ in range(PROFILED_WARMUP_RUNS):
            _infer(request, feeds)
            reader.notice(request.get_profiling_info())
        runs = run_profiled(lambda: _infer(request, feeds))
        return reader.records(request.get_profiling_info(), runs=runs)

    def close(self) -> None:
        """Free the compiled model; the next `run` makes a new one."""
        self._plain = self._request = None

    def _compile(self, model: bytes | Path, more: dict[str, Any]) -> Any:
        properties = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[self._settings.precision],
            "INFERENCE_NUM_THREADS": self._settings.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "ENABLE_HYPER_THREADING": True,  # or it would use fewer threads than asked for
            "ENABLE_CPU_PINNING": False,  # the measuring process is pinned already
            **more,
        }
        try:
            source = model if isinstance(model, bytes) else str(model)
            return self._core.compile_model(self._core.read_model(source), "CPU", properties)
        except Exception as error:  # the runtime's exceptions share no base class
            problem = InvalidModelError(f"OpenVINO refuses the model: {_words(error)}")
            raise memory_error(error, _words(error)) or problem from error

    def _check_what_was_granted(self) -> None:
        wanted = PRECISIONS[self._settings.precision]
        granted = self._plain.get_property("INFERENCE_PRECISION_HINT").to_string()
        if granted != wanted:
            raise InputError(f"OpenVINO computes in {granted} on this processor, not in {wanted}.")
        threads = self._plain.get_property("INFERENCE_NUM_THREADS")
        if threads != self._settings.threads:
            raise InputError(
                f"OpenVINO uses {counted(threads, 'thread')} on this machine, not {self._settings.threads}."
            )


def _import_runtime() -> Any:
    """OpenVINO without its telemetry, which would report the import to its maker: it has a stub for that case."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise BackendUnavailableError(f"OpenVINO cannot be imported: {error}.") from error
    return openvino


def _infer(request: Any, feeds: Feeds) -> dict[str, np.ndarray[Any, Any]]:
    try:
        results = request.infer(feeds, share_inputs=True)
    except Exception as error:  # the runtime's exceptions share no base class
        raise memory_error(error, _words(error)) or RuntimeError(_words(error)) from error
    return {_name(port): array for port, array in results.items()}


def _name(port: Any) -> str:
    """The model's name of an input or an output."""
    return str(port.node.friendly_name).partition("/sink_port_")[0]


def _spec(port: Any) -> TensorSpec:
    shape = tuple(axis.get_length() if axis.is_static else 1 for axis in port.partial_shape)
    return TensorSpec(name=_name(port), dtype=port.element_type.to_dtype().name, shape=shape)


def _words(error: Exception) -> str:
    """The runtime's message without lines of its own source, in one sentence where it is about operators."""
    text = UNREADABLE.sub("it is no ONNX file that can be read.", str(error).strip())
    unknown = UNKNOWN_OPERATORS.search(text)
    if unknown:
        return f"it has no operator {_operators(unknown[1])}."
    lines = [line.strip() for line in text.splitlines() if line.strip() and not SOURCE_LINE.match(line.strip())]
    failed = FAILED_OPERATORS.search(text)
    if failed:
        details = [
            line for line in lines if "-- " not in line and "Summary" not in line and "fully converted" not in line
        ]
        return f"it cannot convert {_operators(failed[1])}. {' '.join(details)}".strip()
    return " ".join(lines) or text


def _operators(listed: str) -> str:
    return OPSET.sub("", listed.strip())
