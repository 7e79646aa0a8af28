"""Contenders for a target: each adapted to the support, and judged by how it forecasts what it was not shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from latcast.schema import DeviceEvidence, InputError, LatcastError, MissingEvidenceError, Target
from predictors.base import FloatArray, LatencyDataset, Predictor
from predictors.evaluation.leave_one_out import LeftOut, leave_one_out
from predictors.kinds.stack.weights import is_hopeless, left_out_score, stack_weights, tail_scale, together_ms

__all__ = ["Contender", "Contest", "Standing", "contest", "record_of"]

MOST_REFITS, MOST_TRAININGS = 10, 3
"""Parts in which a support is left out, and how many of them are forecast where a network is trained for each: as many
rows are left for the trainings as for the rivals' adaptations, which makes them comparable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A fitted predictor that may answer for a target.

    Args:
        name: what it is called, for example its id.
        predictor: fitted, not adapted.
        record: median absolute percentage error on targets of training, adapted to some of their rows, as a share;
            None where nobody measured it.
    """

    name: str
    predictor: Predictor
    record: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a contender did.

    Args:
        name, kind: of the contender.
        record: see `Contender`.
        weight: how far it is believed, 0–1.
        median_ape: median absolute percentage error of left-out rows, as a share; None where none were forecast.
        interval_score: of its 90 % intervals of these (`weights.interval_score`); None without intervals.
        adapt_ms: time that one adaptation took.
        refused: why it could not be adapted; empty where it was.
    """

    name: str
    kind: str
    record: float | None
    weight: float = 0.0
    median_ape: float | None = None
    interval_score: float | None = None
    adapt_ms: float | None = None
    refused: str = ""

    def to_plain(self) -> dict[str, Any]:
        """In JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Standing":
        """What `to_plain` gave."""
        return cls(**{name: plain[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What came of it.

    Args:
        standings: of all contenders, in their order.
        adapted: those that are believed, adapted.
        weights: float64 (len(adapted),), summing to one.
        scale: by which their common widths are multiplied.
        median_ape: of left-out rows as they forecast them together, as a share; None where none were.
    """

    standings: tuple[Standing, ...]
    adapted: tuple[Predictor, ...]
    weights: FloatArray
    scale: float
    median_ape: float | None


@dataclass(frozen=True, slots=True)
class _Entry:
    contender: Contender
    adapted: Predictor
    adapt_ms: float
    left_out: LeftOut
    given_up: bool = False


def contest(
    contenders: Sequence[Contender],
    target: Target,
    support: LatencyDataset,
    evidence: DeviceEvidence | None,
    *,
    judge_alone: bool = False,
) -> Contest:
    """Adapt every contender, and weigh them by their left-out forecasts of the support and their records.

    Those that train networks to adapt come last, are judged by fewer adaptations, and are given up as soon as their
    forecasts show that they will not be believed beside one that was judged (`is_hopeless`).

    Args:
        contenders: at least one; who cannot be adapted to the support takes no part.
        target: of the support's rows.
        support: k measured rows.
        evidence: what else is known of the target.
        judge_alone: whether a single contender is judged, too, which takes ten adaptations and decides nothing.

    Raises:
        LatcastError: none of them can be adapted; why the first could not.
    """
    entries, refused = list[_Entry](), dict[str, LatcastError]()
    for one in contenders:
        started = perf_counter()
        try:
            adapted = one.predictor.adapt(target, support, evidence)
        except (InputError, MissingEvidenceError) as error:
            refused[one.name] = error
            continue
        adapt_ms = (perf_counter() - started) * 1000
        entries.append(_Entry(one, adapted, adapt_ms, LeftOut.nothing(len(support))))
    if not entries:
        raise next(iter(refused.values()))
    if len(contenders) > 1 or judge_alone:
        entries = _all_judged(entries, target, support, evidence)
    latency_ms, judged = support.latency_ms, [entry.left_out for entry in entries]
    weights = _weights(entries, latency_ms)
    by_name = {
        entry.contender.name: _standing(entry, float(weight), latency_ms)
        for entry, weight in zip(entries, weights, strict=True)
    }
    standings = [
        by_name.get(one.name)
        or Standing(name=one.name, kind=one.predictor.kind, record=one.record, refused=str(refused[one.name]))
        for one in contenders
    ]
    believed = np.flatnonzero(weights)
    forecasts, shares = [judged[place] for place in believed], weights[believed]
    together = LeftOut(median_ms=together_ms(forecasts, shares), width=np.full(len(latency_ms), np.nan))
    # A predictor that answers alone keeps the intervals that it calibrated itself.
    alone = len(believed) == 1
    return Contest(
        standings=tuple(standings),
        adapted=tuple(entries[place].adapted for place in believed),
        weights=shares,
        scale=1.0 if alone else tail_scale(forecasts, shares, latency_ms),
        median_ape=_median(together.percentage_errors(latency_ms)),
    )


def _all_judged(
    entries: Sequence[_Entry], target: Target, support: LatencyDataset, evidence: DeviceEvidence | None
) -> list[_Entry]:
    """The entries, in their order, with their left-out forecasts."""
    judged: dict[int, _Entry] = {}
    for place in sorted(range(len(entries)), key=lambda place: _trains(entries[place])):
        judged[place] = _judged(entries[place], list(judged.values()), target, support, evidence)
    return [judged[place] for place in range(len(entries))]


def _trains(entry: _Entry) -> bool:
    return entry.contender.predictor.fitted_capabilities().trains_to_adapt


def _judged(
    entry: _Entry,
    rivals: Sequence[_Entry],
    target: Target,
    support: LatencyDataset,
    evidence: DeviceEvidence | None,
) -> _Entry:
    """The entry with its left-out forecasts, as far as they are needed."""
    predictor = entry.contender.predictor
    if not _trains(entry):
        left_out = leave_one_out(predictor, target, support, evidence, most_refits=MOST_REFITS)
        return replace(entry, left_out=left_out)
    latency_ms, complete = support.latency_ms, [rival for rival in rivals if not rival.given_up]

    def given_up(left_out: LeftOut) -> bool:
        return any(
            is_hopeless(left_out, rival.left_out, latency_ms, [entry.contender.record, rival.contender.record])
            for rival in complete
        )

    left_out = leave_one_out(
        predictor,
        target,
        support,
        evidence,
        most_refits=MOST_REFITS,
        most_judged=MOST_TRAININGS,
        suffices=given_up,
    )
    return replace(entry, left_out=left_out, given_up=given_up(left_out))


def _weights(entries: Sequence[_Entry], latency_ms: FloatArray) -> FloatArray:
    """How far each entry is believed, float64 (m,); who was given up is not."""
    weights = np.zeros(len(entries))
    places = [place for place, entry in enumerate(entries) if not entry.given_up]
    records = [entries[place].contender.record for place in places]
    weights[places] = stack_weights([entries[place].left_out for place in places], latency_ms, records)
    return weights


def record_of(predictor: Predictor) -> float | None:
    """The median error on targets that its training held out, as a share; None where none were."""
    metrics = predictor.provenance_.metrics
    held_out = metrics.get("held_out_targets") or metrics
    error = held_out.get("median_ape")
    return float(error) if isinstance(error, int | float) and error > 0 else None


def _standing(entry: _Entry, weight: float, latency_ms: FloatArray) -> Standing:
    left_out = entry.left_out
    return Standing(
        name=entry.contender.name,
        kind=entry.contender.predictor.kind,
        record=entry.contender.record,
        weight=weight,
        median_ape=_median(left_out.percentage_errors(latency_ms)),
        interval_score=left_out_score(left_out, latency_ms),
        adapt_ms=entry.adapt_ms,
    )


def _median(errors: FloatArray) -> float | None:
    return None if np.isnan(errors).all() else float(np.nanmedian(errors))
