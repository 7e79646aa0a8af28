"""The records of the measured data set: a row, a target, and the data set's licence and notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from latcast.schema import Architecture, Device, GraphHash, KernelTiming, Target, TargetId

__all__ = ["CAREFUL", "QUICK", "About", "MeasuredRow", "MeasuredTarget"]

CAREFUL, QUICK = "careful", "quick"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One measurement of one graph on one target.

    Args:
        space: search space of the architecture.
        text: text of the architecture, from which its generator builds the graph.
        graph: content hash of the graph that was measured.
        target: id of the target.
        method: `careful` (fresh sandboxed processes) or `quick` (a worker process that measures many graphs).
        repeat: 0 for the first measurement of this graph on this target by this method, then 1, 2, ….
        latency_ms: median of the processes' medians; None for a failure, as are the figures after it.
        p10_ms: 10th percentile of all samples.
        p90_ms: 90th percentile of all samples.
        iqr_ms: interquartile range of all samples.
        samples: number of samples.
        processes: number of processes that took them.
        process_spread: (highest − lowest) / median of the processes' medians; 0 for one process.
        noise_log: standard error of log latency: from the spread of the processes, or for a single process from the
            differences between repetitions on this target.
        noisy: whether the host was unsteady; see `docs/guides/measuring.md`.
        stale: whether the text yields another graph by now, because its generator has changed since.
        sentinel_drift: share by which the sentinel's latency before and after differ; None where it was not measured.
        sentinel_ms: latency of the sentinel, mean of before and after; None where it was not measured.
        slowness: the drift factor of the machine, by the sentinel around this row and by graphs that were measured
            in the same minutes and at other times (`drift_factors.py`); named as the data set's column is. The latency
            divided by it is stated at the machine's baseline speed.
        time_unix_s: time of the measurement in Unix seconds; None where it was not recorded.
        load_1m: load of the host over one minute; None where it was not recorded.
        steal_share: share of the processor's time that the hypervisor took away; None where it was not recorded.
        load_ms: time from the model's bytes to a ready session.
        peak_memory_bytes: peak memory of the careful processes; 0 for quick rows, whose process measures many graphs.
        protocol_version: version of the timing protocol.
        failure_stage: stage at which the measurement failed; empty where there is a latency.
        failure_message: why there is no latency; empty where there is one.
        counters: counts for one run, by event name; hardware counters where the machine has them.
        kernels: the runtime's kernels, in order; None where the runtime does not report them.
    """

    space: str
    text: str
    graph: GraphHash
    target: TargetId
    method: str
    repeat: int = 0
    latency_ms: float | None = None
    p10_ms: float | None = None
    p90_ms: float | None = None
    iqr_ms: float | None = None
    samples: int = 0
    processes: int = 0
    process_spread: float | None = None
    noise_log: float | None = None
    noisy: bool = False
    stale: bool = False
    sentinel_drift: float | None = None
    sentinel_ms: float | None = None
    slowness: float = 1.0
    time_unix_s: float | None = None
    load_1m: float | None = None
    steal_share: float | None = None
    load_ms: float = 0.0
    peak_memory_bytes: int = 0
    protocol_version: int = 1
    failure_stage: str = ""
    failure_message: str = ""
    counters: Mapping[str, float] = field(default_factory=dict)
    kernels: tuple[KernelTiming, ...] | None = None

    @property
    def architecture(self) -> Architecture:
        """Space and text as one record."""
        return Architecture(space=self.space, text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTarget:
    """A target, its machine and its descriptor.

    Args:
        target: the target, whose id the rows name.
        device: the machine.
        microbench: results of the microbenchmarks by name; empty where none were taken.
        versions: versions of the software that took part, by name.
    """

    target: Target
    device: Device
    microbench: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The licence and the notes of a data set, which follow from no row.

    Args:
        licence: licence of the data; empty where none was stated.
        notes: remarks on how it was measured.
    """

    licence: str = ""
    notes: tuple[str, ...] = ()
