"""What was measured, how, and what went wrong.

Samples are stored, summaries are computed: a `Measurement` keeps every sample of every process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median

from latcast.schema.device import Environment, Target
from latcast.schema.graph import GraphHash

__all__ = [
    "PROTOCOL_VERSION",
    "CounterReading",
    "Failure",
    "FailureStage",
    "FeedSpec",
    "KernelTiming",
    "Measurement",
    "ProcessRun",
    "ProfileSettings",
    "Summary",
    "most_kernels",
    "most_readings",
    "quantile",
]

PROTOCOL_VERSION = 1
"""Version of the timing protocol (docs/guides/measuring.md); part of what a measurement says of itself."""

LEAST_NOISE_LOG, MOST_NOISE_LOG = 0.005, 5.0

FailureStage = str
"""`load`, `open`, `feeds`, `run`, `timeout`, `memory`, `crash`, `unavailable` or `internal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSpec:
    """How one input is filled, so that the same feeds can be made again.

    Floats are standard normal when `low` and `high` are None, else uniform in [low, high]; integers are uniform in
    [low, high], both included. Where there are `values`, they are the elements, in order, repeated as often as the
    shape needs: texts, or numbers of any type.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    values: tuple[float | str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """How to measure. Everything that changes the target's identity comes first.

    Args:
        backend: name of the backend.
        precision: what the backend does to the model.
        threads: intra-operator threads (inter-operator is always 1).
        options: the backend's own options, for example `{"optimisation": "all"}`.
        processes: fresh child processes; the spread between them is the error bar.
        min_samples, max_samples: timed runs in each process.
        max_seconds: cap on the timed part of one process.
        warmup_seconds: cap on warming up in one process.
        stable_iqr: stop when IQR/median falls below this share (and min_samples is reached).
        block_below_us: runs shorter than this many µs are timed in blocks.
        timeout_s: wall-clock limit of one process, the model's loading included.
        memory_limit_bytes: address space that one child process may add to what the interpreter has.
        kernels: record per-kernel timings too (one more, profiled, session in the first process).
        sentinel: measure a fixed model before and after, to notice a drifting host.
        seed: feeds and refilled weights follow from it.
    """

    backend: str = "onnxruntime"
    precision: str = "fp32"
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    processes: int = 3
    min_samples: int = 10
    max_samples: int = 500
    max_seconds: float = 1.0
    warmup_seconds: float = 0.5
    stable_iqr: float = 0.05
    block_below_us: float = 50.0
    timeout_s: float = 60.0
    memory_limit_bytes: int = 4 * 2**30
    kernels: bool = True
    sentinel: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTiming:
    """One fused group of nodes that the runtime executed as one.

    Args:
        operator: the runtime's name of the kernel, for example `FusedConv`.
        share: part of the sum of all kernels' times, 0–1.
        time_ms: profiled time, rescaled so that shares apply to an unprofiled run.
        node: index into `Graph.nodes` of the node whose output it produces; None where the runtime invented it
            (layout changes) or no output of the model's graph matches.
        input_shapes, output_shapes: shapes of its tensors as executed.
        dtype: type of its first output.
    """

    operator: str
    share: float
    time_ms: float
    node: int | None = None
    input_shapes: tuple[tuple[int, ...], ...] = ()
    output_shapes: tuple[tuple[int, ...], ...] = ()
    dtype: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterReading:
    """Counter values over the timed region; multiplexing stays visible.

    Args:
        values: event name → count for one run of the model on average; a missing event is absent, never zero.
        enabled_ns, running_ns: event name → ns in which it was wanted and in which the hardware counted it.
        absent: event name → why the machine does not count it.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    enabled_ns: Mapping[str, int] = field(default_factory=dict)
    running_ns: Mapping[str, int] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRun:
    """One child process: every sample it took.

    Args:
        samples_ms: time of one run in ms each, in order; a block's time divided by its runs counts as one sample.
        runs_per_sample: 1, or the block's length.
        warmup_runs: runs before the first sample.
        load_ms: time from bytes to a ready session, in ms.
        kernels: per-kernel timings, where asked for and offered.
        no_kernels: why there are none although they were asked for; empty otherwise.
        counters: counters over the timed region.
        peak_memory_bytes: most memory that the child had at a time.
    """

    samples_ms: tuple[float, ...]
    runs_per_sample: int = 1
    warmup_runs: int = 0
    load_ms: float = 0.0
    kernels: tuple[KernelTiming, ...] | None = None
    no_kernels: str = ""
    counters: CounterReading | None = None
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A measurement that failed is a record with a reason."""

    stage: FailureStage
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Computed from samples, never stored. Times in ms."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    iqr_ms: float
    samples: int
    process_spread: float
    """(highest − lowest) / median of the processes' medians; 0 for one process."""

    @property
    def noise_log(self) -> float:
        """Standard error of log latency, from the spread between processes; from 0.5 % to a factor of about 150."""
        return min(MOST_NOISE_LOG, max(LEAST_NOISE_LOG, self.process_spread / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Many samples of one graph on one target, or why there are none.

    Args:
        graph: hash of the graph.
        target: where it was measured.
        settings: how it was measured.
        feeds: what went in; part of the key.
        before, after: the host's state around the measurement.
        runs: one for each child process; empty on failure.
        failure: why there are no samples, else None.
        noisy: the sentinel drifted more than 5 % twice, other programs held the processor twice, a CPU quota stopped
            the processes in more than 5 % of its periods, or the processes disagree by more than 20 %.
        sentinel_ms: the sentinel's latencies in ms before and after each process, empty when not asked for.
        protocol_version: version of the timing protocol.
    """

    graph: GraphHash
    target: Target
    settings: ProfileSettings
    feeds: tuple[FeedSpec, ...] = ()
    before: Environment | None = None
    after: Environment | None = None
    runs: tuple[ProcessRun, ...] = ()
    failure: Failure | None = None
    noisy: bool = False
    sentinel_ms: tuple[float, ...] = ()
    protocol_version: int = PROTOCOL_VERSION

    @property
    def samples_ms(self) -> tuple[float, ...]:
        """Every sample of every process, in ms."""
        return tuple(chain.from_iterable(run.samples_ms for run in self.runs))

    @property
    def kernels(self) -> tuple[KernelTiming, ...] | None:
        """Per-kernel timings of the first process that has them."""
        return next((run.kernels for run in self.runs if run.kernels is not None), None)

    @property
    def counters(self) -> CounterReading | None:
        """Counters of the first process that has them."""
        return next((run.counters for run in self.runs if run.counters is not None), None)

    @property
    def begun_unix_s(self) -> float | None:
        """When the measurement began, in s since 1970; None where the host's state was not recorded."""
        return None if self.before is None else self.before.time_unix_s

    @property
    def sentinel_median_ms(self) -> float | None:
        """The sentinel's latency beside this measurement; None where it did not run."""
        return median(self.sentinel_ms) if self.sentinel_ms else None

    @property
    def peak_memory_bytes(self) -> int:
        """The highest of the processes' peaks, in bytes."""
        return max((run.peak_memory_bytes for run in self.runs), default=0)

    @property
    def summary(self) -> Summary | None:
        """The summary of all samples; None on failure, and where the samples are no longer kept. The latency is the
        median of the processes' medians.
        """
        if not self.runs or not all(run.samples_ms for run in self.runs):
            return None
        medians = [median(run.samples_ms) for run in self.runs]
        samples = sorted(self.samples_ms)
        centre = median(medians)
        return Summary(
            median_ms=centre,
            p10_ms=quantile(samples, 0.1),
            p90_ms=quantile(samples, 0.9),
            iqr_ms=quantile(samples, 0.75) - quantile(samples, 0.25),
            samples=len(samples),
            process_spread=(max(medians) - min(medians)) / centre if centre else 0.0,
        )


def most_kernels(nodes: int) -> int:
    """How many kernels a measurement has at most of a graph of so many nodes.

    Runtimes add some of their own, and those of a loop run often; what has more is measured without its kernels.
    """
    return max(10_000, 20 * nodes)


def most_readings(settings: ProfileSettings) -> int:
    """How many readings of the sentinel such a measurement has at most.

    Each process reads it before and after, and each may have been disturbed and run again.
    """
    return 4 * max(1, settings.processes) if settings.sentinel else 0


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile (0–1) of an ascending sequence, linear between neighbours."""
    position = q * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
