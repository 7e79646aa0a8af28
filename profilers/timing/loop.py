"""The only timing loop. It runs in a child process (see `profilers.timing.sandbox`), and with a fake clock in tests.

Nothing is deleted and nothing is averaged away: every sample is kept, summaries are computed by those who read them.
`docs/guides/measuring.md` describes the protocol; a change of it that changes latencies raises `PROTOCOL_VERSION`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from statistics import median

from latcast.schema import KernelTiming, LatcastError, ProcessRun, ProfileSettings, most_kernels, quantile
from latcast.schema.counting import counted
from profilers.backends.base import Backend, Feeds, KernelRecord, Session
from profilers.counters.base import CounterReader
from profilers.counters.process import peak_memory_bytes

__all__ = ["Clock", "kernel_timings", "profile", "take_sample"]

Clock = Callable[[], int]
"""Nanoseconds from an arbitrary origin, never going back."""

WARMUP_WINDOW = 5
"""Warm means: the medians of two successive windows of so many runs differ by less than `WARMUP_DRIFT`."""
WARMUP_DRIFT = 0.03
WARMUP_RUNS = 1000
LEAST_SAMPLES = 3
"""Taken even where one run takes longer than `max_seconds`; the process's timeout bounds them."""
LEAST_TIMED_SHARE = 0.2
"""Least share of `max_seconds`: samples that agree within the first milliseconds say nothing of the next hundred."""
LONGEST_BLOCK = 1000
LONGEST_WORDS = 300
CHECK_GROWTH = 1.2
"""Stability is checked whenever the number of samples has grown by this factor: rarely, because checking evicts the
model's data from the caches."""


def profile(
    model: bytes | Path,
    feeds: Feeds,
    backend: Backend,
    settings: ProfileSettings,
    *,
    counters: CounterReader,
    clock: Clock = time.perf_counter_ns,
    producers: Mapping[str, int] | None = None,
    on_samples: Callable[[], object] | None = None,
) -> ProcessRun:
    """Measure one model in this process.

    Args:
        model: a whole ONNX model with static shapes and with weights, or the path of its file.
        feeds: an array for each input of the model.
        backend: runs it.
        settings: how to measure.
        counters: opened before this call, so that the session's threads are counted too.
        clock: nanoseconds; tests give one that they move themselves.
        producers: tensor name → index of the node in `Graph.nodes` that produces it; kernels are matched through it.
        on_samples: called once the samples are taken, before kernels are timed.

    Raises:
        BackendUnavailableError: the runtime is missing.
        InvalidModelError: the runtime refuses the model.
        MemoryError: the model needs more memory than there is.
    """
    start = clock()
    opened = backend.open(model, settings) if isinstance(model, bytes) else backend.open_file(model, settings)
    with opened as session:
        load_ms = (clock() - start) / 1e6
        warmup_ms = _warm_up(session, feeds, settings, clock)
        block = _block_length(median(warmup_ms[-WARMUP_WINDOW:]), settings)
        with counters:
            samples_ms = _collect(session, feeds, settings, clock, block)
        peak_bytes = peak_memory_bytes()
        if on_samples is not None:
            on_samples()
        kernels, no_kernels = None, ""
        if settings.kernels:
            kernels, no_kernels = _kernels(session, feeds, median(samples_ms), producers or {})
    return ProcessRun(
        samples_ms=tuple(samples_ms),
        runs_per_sample=block,
        warmup_runs=len(warmup_ms),
        load_ms=load_ms,
        kernels=kernels,
        no_kernels=no_kernels,
        counters=counters.read(runs=len(samples_ms) * block),
        peak_memory_bytes=peak_bytes,
    )


def take_sample(session: Session, feeds: Feeds, clock: Clock, runs: int = 1) -> float:
    """Time of one run in ms, averaged over `runs` back-to-back ones."""
    run = session.run
    start = clock()
    for _ in range(runs):
        run(feeds)
    return (clock() - start) / runs / 1e6


def _warm_up(session: Session, feeds: Feeds, settings: ProfileSettings, clock: Clock) -> list[float]:
    """Times of the warming runs in ms, in order."""
    deadline = clock() + settings.warmup_seconds * 1e9
    taken: list[float] = []
    while len(taken) < WARMUP_RUNS:
        taken.append(take_sample(session, feeds, clock))
        if clock() >= deadline or _is_steady(taken):
            break
    return taken


def _is_steady(taken_ms: Sequence[float]) -> bool:
    if len(taken_ms) < 2 * WARMUP_WINDOW:
        return False
    before = median(taken_ms[-2 * WARMUP_WINDOW : -WARMUP_WINDOW])
    return abs(median(taken_ms[-WARMUP_WINDOW:]) - before) <= WARMUP_DRIFT * before


def _block_length(run_ms: float, settings: ProfileSettings) -> int:
    """Runs to time together, so that the clock's own cost stays small against a sample."""
    run_us = max(run_ms * 1e3, 1e-3)
    return max(1, min(LONGEST_BLOCK, ceil(settings.block_below_us / run_us)))


def _collect(session: Session, feeds: Feeds, settings: ProfileSettings, clock: Clock, block: int) -> list[float]:
    """Samples in ms, until they are stable or a cap is reached."""
    start = clock()
    earliest, deadline = (start + share * settings.max_seconds * 1e9 for share in (LEAST_TIMED_SHARE, 1.0))
    samples: list[float] = []
    next_check = max(settings.min_samples, LEAST_SAMPLES)
    while len(samples) < max(settings.max_samples, 1):
        samples.append(take_sample(session, feeds, clock, block))
        now = clock()
        if now >= deadline and len(samples) >= LEAST_SAMPLES:
            break
        if now >= earliest and len(samples) >= next_check:
            if _is_stable(samples, settings.stable_iqr):
                break
            next_check = ceil(len(samples) * CHECK_GROWTH)
    return samples


def _is_stable(samples_ms: Sequence[float], share: float) -> bool:
    ordered = sorted(samples_ms)
    return quantile(ordered, 0.75) - quantile(ordered, 0.25) < share * quantile(ordered, 0.5)


def _kernels(
    session: Session, feeds: Feeds, latency_ms: float, producers: Mapping[str, int]
) -> tuple[tuple[KernelTiming, ...] | None, str]:
    """Kernel timings, or why there are none; a runtime that can run the model but not profile it has a latency."""
    try:
        records = session.kernels(feeds)
        if records is None:
            return None, "This backend times no kernels."
        if len(records) > most_kernels(len(producers)):
            return None, f"One run has {counted(len(records), 'kernel')}, too many to be kept: its loops run often."
        return kernel_timings(records, latency_ms, producers), ""
    except Exception as error:  # noqa: BLE001 - whatever a profiler raises, the samples are taken
        return None, _words(error)


def _words(error: Exception) -> str:
    if isinstance(error, LatcastError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The profiler's records need more memory than the model may use."
    if isinstance(error, OSError):
        return f"The profiler's records cannot be written: {error.strerror or error}. Free space in TMPDIR."
    return f"The profiler's records cannot be read ({type(error).__name__}: {error})."[:LONGEST_WORDS]


def kernel_timings(
    records: Sequence[KernelRecord], latency_ms: float, producers: Mapping[str, int]
) -> tuple[KernelTiming, ...]:
    """Records of a profiled run, applied to an unprofiled one.

    A profiler costs some µs for each kernel, so its times are used as shares: `share` is the kernel's part of the sum
    of all kernels, `time_ms` that part of the end-to-end latency. Times of all kernels hence add up to the latency.

    Args:
        records: kernels as the runtime reports them.
        latency_ms: median of the unprofiled samples.
        producers: tensor name → index of the node that produces it.
    """
    total_us = sum(record.time_us for record in records)
    if total_us <= 0:
        return ()
    return tuple(
        KernelTiming(
            operator=record.operator,
            share=record.time_us / total_us,
            time_ms=record.time_us / total_us * latency_ms,
            node=next((producers[name] for name in record.outputs if name in producers), None),
            input_shapes=record.input_shapes,
            output_shapes=record.output_shapes,
            dtype=record.dtype,
        )
        for record in records
    )
