"""What one row and one target of the measured data set say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from latcast.schema import Architecture, Device, GraphHash, KernelTiming, Target, TargetId

__all__ = ["CAREFUL", "QUICK", "About", "MeasuredRow", "MeasuredTarget"]

CAREFUL, QUICK = "careful", "quick"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One measurement of one graph on one target.

    Args:
        space, text: the architecture, which yields the graph.
        graph: content hash of the graph that was measured.
        target: id of the target.
        method: `careful` (fresh sandboxed processes) or `quick` (a worker process that measures many graphs).
        repeat: 0 for the first measurement of this graph on this target by this method, then 1, 2, ….
        latency_ms: median of the processes' medians; None for a failure, as are the figures after it.
        p10_ms, p90_ms, iqr_ms: over all samples.
        samples: how many there were.
        processes: how many took them.
        process_spread: (highest − lowest) / median of the processes' medians; 0 for one process.
        noise_log: standard error of log latency: from the spread of the processes, or for single ones from how far
            repetitions on this target lie apart.
        noisy: the host was not steady; see `docs/guides/measuring.md`.
        stale: the text does not yield this graph any more, because its generator has changed since.
        sentinel_drift: share by which the sentinel's latency before and after differ; None where it was not measured.
        sentinel_ms: its latency, mean of before and after; None where it was not measured.
        slowness: the drift factor of the machine, by the sentinel around this row and by graphs that were measured
            in the same minutes and at other times (`drift_factors.py`); named as the data set's column is. The latency
            divided by it is stated at the machine's baseline speed.
        time_unix_s: when; None where it was not recorded, as are the host's load (one minute) and stolen share.
        counters: by event name, for one run; hardware counters where the machine has them.
        kernels: the runtime's kernels, in order; None where it does not tell.
        load_ms: from bytes to a ready session.
        peak_memory_bytes: of the careful processes; 0 for quick ones, which share theirs.
        failure_stage, failure_message: why there is no latency; empty where there is one.
        protocol_version: of the timing protocol.
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
        target: as rows name it by id.
        device: the machine.
        microbench: descriptor out of microbenchmarks; empty where it was not taken.
        versions: of the software that took part.
    """

    target: Target
    device: Device
    microbench: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What no row says.

    Args:
        licence: of the data; empty says that none was given.
        notes: about how it was measured, from those who did.
    """

    licence: str = ""
    notes: tuple[str, ...] = ()
