"""The datasheet of a measured data set, after Gebru et al., "Datasheets for Datasets" (2021).

Every figure is computed from the rows; only what a figure cannot say is prose.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from latcast.schema import Device, TargetId
from latcast.schema.counting import counted
from predictors.data.measured import statistics as figures
from predictors.data.measured.records import CAREFUL, QUICK, About, MeasuredRow, MeasuredTarget
from profilers.search_spaces.families import family_of

__all__ = ["datasheet"]


def datasheet(rows: Sequence[MeasuredRow], targets: Sequence[MeasuredTarget], about: About) -> str:
    """The datasheet, in Markdown.

    Args:
        rows: all rows of the data set, failures included.
        targets: the targets that the rows name.
        about: licence and notes.
    """
    used = {row.target for row in rows}
    by_id = {measured.target.id: measured for measured in targets if measured.target.id in used}
    parts = (
        _head(rows, by_id),
        _motivation(),
        _composition(rows, by_id),
        _collection(rows, by_id, about.notes),
        _noise(rows),
        _preparation(rows),
        _uses(by_id),
        _distribution(about.licence),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(rows: Sequence[MeasuredRow], by_id: dict[TargetId, MeasuredTarget]) -> Iterator[str]:
    graphs = len({row.graph for row in rows if row.latency_ms is not None})
    kernels = sum(len(row.kernels or ()) for row in rows)
    devices = {measured.device.fingerprint for measured in by_id.values()}
    yield "# Datasheet: measured latencies of generated networks"
    yield ""
    yield (
        f"{counted(len(rows), 'measurement')} of {counted(graphs, 'ONNX graph')} on {counted(len(by_id), 'target')} of "
        f"{counted(len(devices), 'machine')}, with {counted(kernels, 'kernel timing')}. `rows.parquet` has a "
        "line for each "
        "measurement, `targets.parquet` one for each target; this text is written by `latcast dataset pack`."
    )


def _motivation() -> Iterator[str]:
    yield from _title("Motivation")
    yield (
        "To train and judge predictors of latency that forecast any ONNX graph on a target of which about ten "
        "measurements are known. Public tables hold end-to-end latencies of one search space; here are many kinds of "
        "networks, what each kernel took, and several runtimes on the same machine."
    )


def _composition(rows: Sequence[MeasuredRow], by_id: dict[TargetId, MeasuredTarget]) -> Iterator[str]:
    yield from _title("Composition")
    yield (
        "An instance is one measurement: the architecture (space and text, from which latcast's generators build the "
        "graph; `graph` is its content hash), the target, the latency in ms (median of the processes' medians) with "
        "p10, p90, IQR and number of samples, flags, the host's state, counters, and the kernels that the runtime "
        "executed with their shares and shapes. Weights and inputs are random and seeded. No published model, no "
        "photograph, no text and nothing about people is among it."
    )
    yield ""
    yield (
        "| target | networks, careful | networks, quick | kernels | measured again | differing by | noisy | failed "
        "| microbench |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    numbers = _machine_numbers(by_id)
    for counts in figures.count_targets(rows):
        sizes = (counts.networks_careful, counts.networks_quick, counts.kernels, counts.again)
        difference = "–" if counts.difference is None else f"{counts.difference:.1%}"
        described = "yes" if by_id[counts.target].microbench else "no"
        cells = (*(f"{n:,}" for n in sizes), difference, f"{counts.noisy:,}", f"{counts.failed:,}", described)
        machine = f", machine {numbers[by_id[counts.target].device.fingerprint]}" if len(numbers) > 1 else ""
        yield f"| {by_id[counts.target].target.label}{machine} | {' | '.join(cells)} |"
    yield ""
    yield "Graphs by family, and on how many targets:"
    yield ""
    yield "| family | graphs | targets |"
    yield "| --- | --- | --- |"
    graphs = _graphs_by_family(rows)
    for family, by_target in figures.count_families(rows).items():
        yield f"| {family} | {graphs[family]:,} | {len(by_target)} |"
    yield ""
    latency = figures.spread(row.latency_ms for row in rows if row.latency_ms is not None)
    yield (
        f"Latencies lie between {latency.lowest:.2g} and {latency.highest:.3g} ms; 90 % between {latency.p5:.2g} and "
        f"{latency.p95:.3g} ms, the median is {latency.p50:.2g} ms."
    )
    yield from _failures(rows)


def _machine_numbers(by_id: dict[TargetId, MeasuredTarget]) -> dict[str, int]:
    """The machines' fingerprints, numbered from 1 in the order of their targets."""
    fingerprints = dict.fromkeys(measured.device.fingerprint for measured in by_id.values())
    return {fingerprint: number for number, fingerprint in enumerate(fingerprints, 1)}


def _graphs_by_family(rows: Iterable[MeasuredRow]) -> Counter[str]:
    pairs = {(_family(row), row.graph) for row in rows if row.latency_ms is not None}
    return Counter(family for family, _ in pairs)


def _family(row: MeasuredRow) -> str:
    return figures.KERNELS if row.space == figures.KERNELS else family_of(row.architecture)


def _failures(rows: Iterable[MeasuredRow]) -> Iterator[str]:
    stages = Counter(row.failure_stage for row in rows if row.failure_stage)
    if not stages:
        return
    listed = ", ".join(f"{stage} ({count})" for stage, count in stages.most_common())
    yield ""
    yield f"Failures are rows without a latency, with stage and message: {listed}."


def _collection(
    rows: Sequence[MeasuredRow], by_id: dict[TargetId, MeasuredTarget], notes: Sequence[str]
) -> Iterator[str]:
    yield from _title("Collection")
    devices: dict[str, Device] = {measured.device.fingerprint: measured.device for measured in by_id.values()}
    for fingerprint, number in _machine_numbers(by_id).items():
        yield f"- Machine{f' {number}' if len(devices) > 1 else ''}: {_machine(devices[fingerprint])}."
    versions = sorted({item for measured in by_id.values() for item in measured.versions.items()})
    yield f"- Software: {', '.join(f'{name} {version}' for name, version in versions)}."
    yield f"- When: {_period(rows)}."
    protocols = sorted({row.protocol_version for row in rows})
    yield f"- Timing protocol: version {', '.join(map(str, protocols))} of `docs/guides/measuring.md`."
    careful = [row for row in rows if row.method == CAREFUL]
    quick = [row for row in rows if row.method == QUICK]
    yield (
        f"- Careful rows ({len(careful):,}): fresh sandboxed processes for each network, "
        f"{_range(row.processes for row in careful)} of them, pinned, warmed up until steady; latency is the median "
        "of their medians and the first process also gives the kernels."
    )
    yield (
        f"- Quick rows ({len(quick):,}): one pinned worker process measures many graphs one after the other, "
        f"{_range(row.samples for row in quick)} samples of each, in 0.08 s where it is fast enough, then a "
        "profiled session for the kernels. Its memory and caches still hold what other graphs left."
    )
    checked = [row.sentinel_drift for row in rows if row.sentinel_drift is not None]
    yield (
        f"- Sentinel: a fixed small network before and after {len(checked):,} of the rows (every ten quick graphs, "
        "every careful process); where it moved by more than 5 % the rows were measured again, and both are kept, the "
        f"disturbed ones flagged as noisy. For the other {counted(len(rows) - len(checked), 'row')} there is no "
        "reading."
    )
    slow = [row.slowness for row in rows if row.sentinel_ms is not None]
    if slow:
        low, high = np.quantile(slow, [0.05, 0.95])
        yield (
            "- Speed: the machine's speed changes with the other work of its host. `slowness` is the drift factor: the "
            "sentinel's median within half a minute over its baseline on the target, times what graphs that were "
            f"measured at several times show of the same two minutes: {low:.2f} to {high:.2f} for nine rows in ten "
            "that have a reading. `latency_ms` is as measured; readers get it divided by `slowness`."
        )
    yield (
        "- Sampling: each family of networks equally often, work log-uniform, architectures of finite spaces uniform; "
        "kernels by weight over the range of shapes that real networks have. Every target goes through the same "
        "sequence of graphs."
    )
    yield from (f"- {note}" for note in notes)


def _machine(device: Device) -> str:
    caches = ", ".join(f"{level} {size // 1024:,} KiB" for level, size in device.cache_bytes.items())
    details = ", ".join(f"{key} {value}" for key, value in device.details.items())
    return (
        f"{device.processor}, {device.machine}, {counted(device.physical_cores, 'core')}, "
        f"{device.memory_bytes / 2**30:.0f} GiB, "
        f"{caches}, {device.system}; {' '.join(device.features)}; {details}"
    )


def _period(rows: Iterable[MeasuredRow]) -> str:
    times = [row.time_unix_s for row in rows if row.time_unix_s is not None]
    if not times:
        return "not recorded"
    first, last = (datetime.fromtimestamp(moment, UTC).date().isoformat() for moment in (min(times), max(times)))
    return first if first == last else f"{first} to {last}"


def _range(values: Iterable[int]) -> str:
    positive = sorted(value for value in values if value)
    if not positive:
        return "no"
    low, high = positive[0], positive[-1]
    return str(low) if low == high else f"{low}–{high}"


def _noise(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    yield from _title("Noise")
    for repeat in figures.repeats(rows):
        yield (
            f"- Two steady {repeat.method} measurements of one graph on one target, {counted(repeat.pairs, 'pair')}: "
            f"|a − b| / mean is {repeat.p50:.1%} at the median and {repeat.p90:.1%} at the 90th percentile."
        )
    spreads = [row.process_spread for row in rows if row.process_spread is not None and row.processes > 1]
    if spreads:
        yield f"- The processes of a careful row differ by {figures.spread(spreads).p50:.1%} at the median."
    noisy = sum(row.noisy for row in rows)
    yield f"- {counted(noisy, 'row')} of {len(rows):,} are flagged as noisy."
    yield (
        "- `noise_log` is the standard error of log latency: half the processes' spread for careful rows; for quick "
        "rows the error that the repetitions on their target imply, or 2 % where there are too few of them."
    )


def _preparation(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    yield from _title("Preparation")
    stale = sum(row.stale for row in rows)
    yield (
        "Summaries are computed from the samples; no row is left out. `share` of a kernel is its part of the sum of "
        "all kernels in a profiled run; times the latency it is its time. A row is `stale` when the present generators "
        f"do not build its graph any more: {stale:,} are. A graph that was measured several times on a target has as "
        "many rows; readers take the lower half of the steady ones together, at the machine's baseline speed "
        "(`predictors.data.measured.pooled_rows`)."
    )


def _uses(by_id: dict[TargetId, MeasuredTarget]) -> Iterator[str]:
    yield from _title("Uses, and what is not in it")
    yield "- Made for: predictors of latency, cost models of kernels, samplers, studies of noise."
    yield (
        "- Rows of one graph on several targets belong on the same side of a split; so do graphs of one family when "
        "new families are what is judged."
    )
    threads = max((measured.target.threads for measured in by_id.values()), default=0)
    yield (
        "- Not in it: other machines than those named; published or trained models; accuracy; energy; more than "
        f"{counted(threads, 'thread')}; the samples themselves (only their quantiles)."
    )
    if not any(measured.device.details.get("virtualisation") is None for measured in by_id.values()):
        yield "- The machines are virtual ones, whose neighbours are unknown."
    yield "- Milliseconds of one machine say little about another without an adaptation."


def _distribution(licence: str) -> Iterator[str]:
    yield from _title("Distribution and maintenance")
    yield (
        f"Licence: {licence or 'none was given'}. Corrections come as new versions of the files; `latcast campaign` "
        "and `latcast dataset pack` make the same kind of data set on any machine."
    )


def _title(text: str) -> Iterator[str]:
    yield from ("", f"## {text}", "")
