"""Packing campaigns' logs, and data sets that were packed before, into the files of one data set."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

from latcast.schema import Architecture, Environment, GraphHash, InputError, LatcastError, Summary, TargetId
from predictors.data.measured.datasheet import datasheet
from predictors.data.measured.drift_factors import with_drift_factors
from predictors.data.measured.records import CAREFUL, QUICK, About, MeasuredRow, MeasuredTarget
from predictors.data.measured.statistics import repeatability
from predictors.data.measured.storage import (
    ROWS_FILE,
    TARGETS_FILE,
    read_about,
    read_rows,
    read_targets,
    write_rows,
    write_targets,
)
from profilers import campaign
from profilers.timing.sentinel import drift

__all__ = ["DATASHEET_FILE", "pack"]

DATASHEET_FILE, NOTES_FILE = "DATASHEET.md", "notes.md"

TYPICAL_NOISE_LOG = 0.02
"""Standard error of log latency of a single process, where fewer than `LEAST_PAIRS` graphs were measured twice."""
LEAST_NOISE_LOG = 0.005
LEAST_PAIRS = 10

Verdicts = dict[tuple[Architecture, GraphHash], bool]


def pack(folders: Sequence[Path], out: Path, *, recheck: bool = False, licence: str = "") -> list[MeasuredRow]:
    """Write rows, targets and datasheet of these campaigns into `out`; returns the rows.

    Whether an architecture still yields the graph that was measured is checked once for each row; later packs into the
    same folder take the result over.

    Args:
        folders: folders of campaigns, and of data sets whose logs are elsewhere, in order; the lines of a `notes.md` in
            one, and the notes of a data set, go into the datasheet.
        out: folder to write to; made where it is missing.
        recheck: check all architectures again, because a generator has changed.
        licence: licence of the data, for the datasheet; by default that of the data sets among the folders.

    Raises:
        InputError: a folder holds no campaign, or a broken log, or nothing could be measured.
        LatcastError: pyarrow is not installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [row for folder in folders for row in _rows(folder)]
    targets, notes = _targets(folders), tuple(note for folder in folders for note in _notes(folder))
    about = About(licence=licence or _licence(folders), notes=notes)
    if all(row.latency_ms is None for row in rows):
        raise InputError("No measurement there has a latency: there is nothing to pack. Measure longer (--hours).")
    rows = _with_noise(with_drift_factors(list(_with_repeats(rows))))
    verdicts = {} if recheck else _verdicts(out)
    rows = [replace(row, stale=_is_stale(row, verdicts)) for row in rows]
    write_rows(out / ROWS_FILE, rows)
    write_targets(out / TARGETS_FILE, targets.values(), about)
    (out / DATASHEET_FILE).write_text(datasheet(rows, list(targets.values()), about), encoding="utf-8")
    return rows


def _is_packed(folder: Path) -> bool:
    """Whether it has rows and no log that they could be made of."""
    return (folder / ROWS_FILE).exists() and not (folder / campaign.LOG_FILE).exists()


def _rows(folder: Path) -> Iterable[MeasuredRow]:
    return read_rows(folder) if _is_packed(folder) else map(_row, campaign.read_rows(folder))


def _licence(folders: Sequence[Path]) -> str:
    """The one under which all data sets among the folders are; none where they differ."""
    licences = {read_about(folder).licence for folder in folders if _is_packed(folder)}
    return licences.pop() if len(licences) == 1 else ""


def _row(row: campaign.Row) -> MeasuredRow:
    measured, careful = row.measurement, campaign.is_careful(row)
    sentinel = measured.sentinel_ms
    plain = MeasuredRow(
        space=row.architecture.space,
        text=row.architecture.text,
        graph=measured.graph,
        target=measured.target.id,
        method=CAREFUL if careful else QUICK,
        processes=len(measured.runs),
        noisy=measured.noisy,
        sentinel_drift=drift(*sentinel[-2:]) if len(sentinel) > 1 else None,
        sentinel_ms=mean(sentinel[-2:]) if sentinel else None,
        load_ms=measured.runs[0].load_ms if measured.runs else 0.0,
        peak_memory_bytes=measured.peak_memory_bytes if careful else 0,
        protocol_version=measured.protocol_version,
        failure_stage=measured.failure.stage if measured.failure else "",
        failure_message=measured.failure.message if measured.failure else "",
        counters=measured.counters.values if measured.counters else {},
        kernels=measured.kernels,
    )
    return _with_state(_with_summary(plain, measured.summary), measured.before)


def _with_summary(row: MeasuredRow, summary: Summary | None) -> MeasuredRow:
    if summary is None:
        return row
    return replace(
        row,
        latency_ms=summary.median_ms,
        p10_ms=summary.p10_ms,
        p90_ms=summary.p90_ms,
        iqr_ms=summary.iqr_ms,
        samples=summary.samples,
        process_spread=summary.process_spread,
    )


def _with_state(row: MeasuredRow, state: Environment | None) -> MeasuredRow:
    if state is None:
        return row
    return replace(row, time_unix_s=state.time_unix_s, load_1m=state.load_1m, steal_share=state.steal_share)


def _with_repeats(rows: Iterable[MeasuredRow]) -> Iterator[MeasuredRow]:
    counts: Counter[tuple[TargetId, GraphHash, str]] = Counter()
    for row in rows:
        key = (row.target, row.graph, row.method)
        yield replace(row, repeat=counts[key])
        counts[key] += 1


def _with_noise(rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """The rows with `noise_log`: of its processes for a careful row, of the target's repetitions for a quick one."""
    typical = {
        target: _typical_noise([row for row in rows if row.target == target]) for target in {r.target for r in rows}
    }
    return [replace(row, noise_log=_noise(row, typical[row.target])) for row in rows]


def _noise(row: MeasuredRow, typical: float) -> float | None:
    if row.process_spread is None:
        return None
    return max(LEAST_NOISE_LOG, row.process_spread / 2 if row.method == CAREFUL else typical)


def _typical_noise(rows: Sequence[MeasuredRow]) -> float:
    """The standard deviation of log latency under which two normal readings differ by as much at the median."""
    pairs = repeatability(rows, QUICK, noisy=True)
    return median(pairs) / (0.6745 * 2**0.5) if len(pairs) >= LEAST_PAIRS else TYPICAL_NOISE_LOG


def _targets(folders: Sequence[Path]) -> dict[TargetId, MeasuredTarget]:
    """Each target as its last note describes it, with the last microbenchmarks that were taken on it."""
    targets: dict[TargetId, MeasuredTarget] = {}
    for folder in folders:
        if _is_packed(folder):
            targets |= {measured.target.id: measured for measured in read_targets(folder)}
            continue
        for note in campaign.read_log(folder, runs=False):
            if isinstance(note, campaign.Note):
                name, earlier = note.target.id, targets.get(note.target.id)
                values = note.microbench.values if note.microbench else earlier.microbench if earlier else {}
                targets[name] = MeasuredTarget(
                    target=note.target, device=note.device, microbench=values, versions=note.versions
                )
    return targets


def _notes(folder: Path) -> Sequence[str]:
    if _is_packed(folder):
        return read_about(folder).notes
    path = folder / NOTES_FILE
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line] if path.exists() else []


def _verdicts(out: Path) -> Verdicts:
    """Whether each row of an earlier pack was stale; empty where there is no pack that this version can read."""
    try:
        return {(row.architecture, row.graph): row.stale for row in read_rows(out)}
    except InputError:
        return {}


def _is_stale(row: MeasuredRow, verdicts: Verdicts) -> bool:
    key = (row.architecture, row.graph)
    if key not in verdicts:
        verdicts[key] = _built_hash(row.architecture) != row.graph
    return verdicts[key]


def _built_hash(architecture: Architecture) -> GraphHash:
    from profilers.onnx_graph import load_graph
    from profilers.search_spaces import get_space

    try:
        return load_graph(get_space(architecture.space).to_onnx(architecture)).hash
    except LatcastError:
        return ""
