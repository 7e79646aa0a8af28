"""How good a target's forecasts have been, over time: by the scores of measurements that came after them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from latcast.schema import TargetId
from predictors.inference.adaptive_conformal import LEVEL
from service.db import tables
from service.learning.interval_scales import interval_scales, scores_of

__all__ = ["HostSpeed", "Period", "TrackRecord", "fleet_periods", "track_gauges", "track_record"]

JUDGED = 50
"""The newest scores are judged by."""
KEPT = 1000
"""Scores of a target that are looked at: those of longer ago are counted alone."""
PERIODS, FEWEST_IN_PERIOD = 20, 5
CHANCE = 0.02
"""Coverage is out of its band when chance alone would bring it there so rarely."""
MOVED = 0.15
"""The host has moved when the sentinel says that it is so much slower or faster than when the target was adapted."""
RECENT = 10
"""Readings of the sentinel whose median counts as its speed now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Scores that followed each other.

    Args:
        since_unix_s, until_unix_s: when the first and the last measurement was scored.
        scored: how many.
        coverage: share of the intervals that held; None where none was claimed.
        median_ape: median absolute percentage error, as a share.
        bias: median of log(measured / forecast): 0.1 says that forecasts are about 10 % too low.
        host_drift: median reading of the sentinel over that of the adaptation; None without readings.
    """

    since_unix_s: float
    until_unix_s: float
    scored: int
    coverage: float | None
    median_ape: float
    bias: float
    host_drift: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpeed:
    """How fast the machine is now, by the sentinel, which runs beside every measurement.

    Args:
        baseline_ms: when the target was adapted.
        now_ms: median of the newest readings.
        drift: the latter over the former: 1.2 says that the machine is 20 % slower.
        moved: whether it is so far from 1 that measurements and forecasts are of different machines.
    """

    baseline_ms: float
    now_ms: float
    drift: float
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """A target's forecasts beside what was measured later.

    Args:
        level: that the intervals claim.
        scored: forecasts that were measured later.
        judged: the newest of them, by which the rest is judged.
        coverage: share of their intervals that held; None where none was claimed.
        band: (low, high) of what chance leaves of a coverage at the level.
        in_band: whether it lies there; None without a coverage.
        median_ape: median absolute percentage error of the judged, as a share; None without any.
        interval_scale: factor on the width of intervals that follows from misses and hits; 1 at first.
        host: the machine's speed; None without readings of the sentinel.
        flags: what is wrong and what to do about it, a sentence each.
        periods: over time, the oldest first.
    """

    level: float = LEVEL
    scored: int = 0
    judged: int = 0
    coverage: float | None = None
    band: tuple[float, float] | None = None
    in_band: bool | None = None
    median_ape: float | None = None
    interval_scale: float = 1.0
    host: HostSpeed | None = None
    flags: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()


def track_record(session: Session, target_id: TargetId) -> TrackRecord:
    """The record of a target's forecasts."""
    mine = scores_of(target_id)
    count = session.scalar(mine.with_only_columns(func.count())) or 0
    newest = mine.order_by(tables.Score.id.desc())
    scores = list(reversed(session.scalars(newest.limit(KEPT)).all()))
    host = _host(session, target_id)
    judged = _judged(scores)
    scales = interval_scales(session, target_id)
    last = judged[-1] if judged else None
    return _with_flags(
        TrackRecord(
            scored=count,
            judged=len(judged),
            **_coverage(judged),
            median_ape=median(map(_ape, judged)) if judged else None,
            interval_scale=scales.get((last.space, last.adapted), 1.0) if last else 1.0,
            host=host,
            periods=_periods(scores, host.baseline_ms if host else None),
        )
    )


def fleet_periods(session: Session) -> tuple[Period, ...]:
    """The newest scores of all targets together, over time, the oldest first; each target's host is its own."""
    seen = tables.Score.target_id.in_(select(tables.Target.id))
    newest = session.scalars(select(tables.Score).where(seen).order_by(tables.Score.id.desc()).limit(KEPT)).all()
    return _periods(list(reversed(newest)), None)


def track_gauges(session: Session) -> dict[str, tuple[str, tuple[str, ...], dict[tuple[str, ...], float]]]:
    """Gauges of all targets that have scores; see `service.operations.metrics`."""
    targets = session.scalars(select(tables.Score.target_id).distinct()).all()
    records = {target_id: track_record(session, target_id) for target_id in targets}
    read: Mapping[str, tuple[str, Any]] = {
        "latcast_forecast_coverage": (
            "Share of the last intervals (90 %) that held what was measured later.", lambda one: one.coverage),
        "latcast_forecast_coverage_out_of_band": (
            "1 where that share is not what chance leaves of 90 %.",
            lambda one: None if one.in_band is None else float(not one.in_band)),
        "latcast_forecast_error": (
            "Median absolute percentage error of the last forecasts that were measured later, as a share.",
            lambda one: one.median_ape),
        "latcast_forecasts_scored": ("Forecasts that were measured later.", lambda one: float(one.scored)),
        "latcast_interval_scale": (
            "Factor on the width of intervals that follows what was measured.", lambda one: one.interval_scale),
        "latcast_host_drift": (
            "Time of the sentinel now over that when the target was adapted.",
            lambda one: one.host and one.host.drift),
        "latcast_host_moved": (
            "1 where that is so far from 1 that forecasts are of another machine.",
            lambda one: None if one.host is None else float(one.host.moved)),
    }  # fmt: skip
    return {
        name: (
            what,
            ("target",),
            {(target_id,): value for target_id, one in records.items() if (value := get(one)) is not None},
        )
        for name, (what, get) in read.items()
    }


def _judged(scores: Sequence[tables.Score]) -> Sequence[tables.Score]:
    """The newest scores of what answers now: of adapted predictors where there are any."""
    adapted = [score for score in scores if score.adapted]
    return (adapted or scores)[-JUDGED:]


def _ape(score: tables.Score) -> float:
    return abs(score.forecast_ms / score.measured_ms - 1)


def _residual(score: tables.Score) -> float:
    return math.log(score.measured_ms / score.forecast_ms)


def _hits(scores: Sequence[tables.Score]) -> list[bool]:
    """Whether each interval held, as it was given; those that were not claimed are left out."""
    return [
        abs(_residual(score)) <= score.half_width * score.interval_scale
        for score in scores
        if score.half_width is not None
    ]


def _coverage(scores: Sequence[tables.Score]) -> dict[str, Any]:
    from scipy.stats import binom

    hits = _hits(scores)
    if not hits:
        return {}
    held, count = sum(hits), len(hits)
    low, high = (float(binom.ppf(q, count, LEVEL)) for q in (CHANCE / 2, 1 - CHANCE / 2))
    return {
        "coverage": held / count,
        "band": (low / count, high / count),
        "in_band": low <= held <= high,
    }


def _periods(scores: Sequence[tables.Score], baseline_ms: float | None) -> tuple[Period, ...]:
    size = max(FEWEST_IN_PERIOD, math.ceil(len(scores) / PERIODS))
    return tuple(_period(scores[start : start + size], baseline_ms) for start in range(0, len(scores), size))


def _period(scores: Sequence[tables.Score], baseline_ms: float | None) -> Period:
    hits = _hits(scores)
    readings = [score.sentinel_ms for score in scores if score.sentinel_ms is not None]
    return Period(
        since_unix_s=scores[0].at_unix_s,
        until_unix_s=scores[-1].at_unix_s,
        scored=len(scores),
        coverage=sum(hits) / len(hits) if hits else None,
        median_ape=median(map(_ape, scores)),
        bias=median(map(_residual, scores)),
        host_drift=median(readings) / baseline_ms if readings and baseline_ms else None,
    )


def _host(session: Session, target_id: TargetId) -> HostSpeed | None:
    adaptation = tables.Adaptation
    metrics = session.scalar(
        select(adaptation.metrics).where(adaptation.target_id == target_id, adaptation.active).limit(1)
    )
    baseline_ms = (metrics or {}).get("sentinel_ms")
    table = tables.Measurement
    newest = session.scalars(
        select(table.sentinel_median_ms)
        .where(table.target_id == target_id, table.sentinel_median_ms.is_not(None))
        .order_by(table.id.desc())
        .limit(RECENT)
    ).all()
    if not baseline_ms or not newest:
        return None
    now_ms = median(ms for ms in newest if ms is not None)
    drift = now_ms / baseline_ms
    return HostSpeed(
        baseline_ms=baseline_ms, now_ms=now_ms, drift=drift, moved=abs(math.log(drift)) > math.log(1 + MOVED)
    )


def _with_flags(record: TrackRecord) -> TrackRecord:
    flags = []
    if record.in_band is False and record.band is not None and record.coverage is not None:
        side = "too narrow" if record.coverage < record.band[0] else "too wide"
        flags.append(
            f"Of the last {record.judged} intervals {record.coverage:.0%} held, where chance leaves "
            f"{record.band[0]:.0%} to {record.band[1]:.0%} of {record.level:.0%}: they are {side}; their width follows."
        )
    if record.host is not None and record.host.moved:
        how = "slower" if record.host.drift > 1 else "faster"
        percent = abs(record.host.drift - 1)
        flags.append(
            f"The host is {percent:.0%} {how} than when it was adapted to: forecasts are of its speed then. Look what "
            "else runs there, or adapt again."
        )
    return replace(record, flags=tuple(flags))
