"""Constraints of a search that know how sure a forecast is.

Latency is forecast as log-normal, so an interval says everything about its distribution: with median m and upper end
h of the central interval of level L, log latency has the standard deviation ln(h / m) / z((1 + L) / 2).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

from latcast.loops.forecasts import Forecasts, column
from latcast.loops.target import WORK, RemoteTarget, listed
from latcast.schema import InputError
from latcast.schema.counting import counted

__all__ = ["Feasible", "Judgement", "Pick", "judged", "worth_measuring"]

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is known of n networks and a limit; columns are NumPy arrays where it is installed, else lists.

    Args:
        forecasts: the latencies.
        probability: float (n,), that the latency keeps its limit; NaN where a network cannot be forecast.
        spread: float (n,), standard deviation of the latency's logarithm; 0 where nobody claims any.
        bound_ms: float (n,), the latency that is kept with the probability that was asked for.
        feasible: bool (n,), whether every limit is kept: that on latency with the probability that was asked for.
        unsure: bool (n,), whether a measurement would decide: the network may well keep the limit on latency, and may
            well not.
        violations: by name of the limit, float (n,): how far beyond it a network is, as a share; at most 0 is feasible.
        measured_now: how many networks were measured to decide.
    """

    forecasts: Forecasts
    probability: Any
    spread: Any
    bound_ms: Any
    feasible: Any
    unsure: Any
    violations: Mapping[str, Any]
    measured_now: int = 0


def judged(
    forecasts: Forecasts,
    limit_ms: float,
    probability: float = 0.9,
    *,
    work: Mapping[str, Sequence[float]] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Judgement:
    """Forecasts against a limit, and what else was counted against others.

    Args:
        forecasts: of n networks, at any level.
        limit_ms: largest latency.
        probability: with which the limit has to be kept, in (0, 1).
        work: columns by name, as `RemoteTarget.work` gives them.
        limits: the largest value of each of these.

    Raises:
        InputError: the limit or the probability makes no sense, or a limit has no column.
    """
    if not (limit_ms > 0 and 0 < probability < 1):
        raise InputError("A limit is a positive number of ms, and its probability is between 0 and 1.")
    if missing := set(limits or {}) - set(work or {}):
        raise InputError(f"There is nothing to compare the limit of {sorted(missing)[0]!r} with.")
    spreads = [_spread(*row, forecasts.level) for row in zip(forecasts.latency_ms, forecasts.high_ms, strict=True)]
    rows = list(zip(map(float, forecasts.latency_ms), spreads, strict=True))
    kept = [_probability(median, spread, limit_ms) for median, spread in rows]
    bounds = [_bound(median, spread, probability) for median, spread in rows]
    violations = {"latency_ms": [bound / limit_ms - 1 for bound in bounds]}
    for name, most in (limits or {}).items():
        violations[name] = [float(value) / most - 1 for value in (work or {})[name]]
    feasible = [all(value <= 0 for value in row) for row in zip(*violations.values(), strict=True)]
    # Only a measurement that could turn the verdict is worth its price.
    low, high = sorted((probability, 1 - probability))
    unsure = [low <= p < high and not measured for p, measured in zip(kept, forecasts.measured, strict=True)]
    return Judgement(
        forecasts=forecasts,
        probability=column(kept),
        spread=column(spreads),
        bound_ms=column(bounds),
        feasible=column(feasible),
        unsure=column(unsure),
        violations={name: column(values) for name, values in violations.items()},
    )


def _spread(median: float, high: float, level: float) -> float:
    """Standard deviation of log latency; 0 where nobody claims any, so that the median decides."""
    if not (median > 0 and math.isfinite(high)):
        return 0.0
    return math.log(max(high / median, 1.0)) / NORMAL.inv_cdf((1 + level) / 2)


def _bound(median: float, spread: float, probability: float) -> float:
    """The latency that is kept with a probability; infinite where there is no forecast, as nothing is kept then."""
    return median * math.exp(NORMAL.inv_cdf(probability) * spread) if math.isfinite(median) else math.inf


def _probability(median: float, spread: float, limit_ms: float) -> float:
    if not math.isfinite(median):
        return math.nan
    return NORMAL.cdf(math.log(limit_ms / median) / spread) if spread > 0 else float(median <= limit_ms)


def worth_measuring(
    probability: Sequence[float], scores: Sequence[float], *, measured: Sequence[bool], trusted: float = 0.9
) -> int | None:
    """The network whose measurement promises most to whoever wants the best score under a limit.

    That is the largest expected gain over the best score that can be had without: P(limit kept) × gain, the expected
    improvement under a constraint (Gardner et al., ICML 2014, section 3.2) for scores that are known.

    Args:
        probability: (n,), that each network keeps the limit; NaN counts as 0.
        scores: (n,), larger is better.
        measured: (n,), whether a measurement said so; it would say nothing new.
        trusted: probability from which a network is taken without being measured, and above whose complement it is
            worth a measurement.

    Returns:
        Its place, or None where no measurement can find a better one.
    """
    rows = list(zip(probability, scores, measured, strict=True))
    hopeful = [score for kept, score, _ in rows if kept >= 1 - trusted]
    if not hopeful:
        return None
    lowest, highest = min(hopeful), max(hopeful)
    # To have nothing is as much worse than the worst as the worst is than the best.
    floor = max((score for kept, score, _ in rows if kept >= trusted), default=lowest - ((highest - lowest) or 1.0))
    gains = [0.0 if known or not kept >= 1 - trusted else kept * (score - floor) for kept, score, known in rows]
    best = max(range(len(gains)), key=gains.__getitem__)
    return best if gains[best] > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The network of the best score that keeps the limits.

    Args:
        place: its place in the list; None where no network keeps them.
        network: what stands there.
        measured: texts that were measured to find it, in that order.
        judgement: of the whole list, as it stood in the end.
    """

    place: int | None
    network: Any
    measured: Sequence[str]
    judgement: Judgement


@dataclass(slots=True)
class Feasible:
    """Whether networks keep limits on a target; measures those that only a measurement decides, within a budget.

    Args:
        target: what `Client.target` gave.
        limit_ms: largest latency.
        probability: with which it has to be kept, in (0, 1).
        space: search space of the texts that are judged.
        limits: largest value of `macs`, `flops`, `parameter_bytes`, `activation_bytes` or `arithmetic_intensity`.
        measure_when_unsure: how many networks may be measured in all, over all calls.
        wait: whether a call waits for what it has measured; else a later call sees it.
        timeout_s: how long it waits, in s.
        asked: texts that were measured, or are being measured, on its account.
    """

    target: RemoteTarget
    limit_ms: float
    probability: float = 0.9
    space: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    measure_when_unsure: int = 0
    wait: bool = True
    timeout_s: float = 3600.0
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if unknown := set(self.limits) - set(WORK):
            raise InputError(f"{sorted(unknown)[0]!r} cannot be limited; what can is {', '.join(WORK)}.")
        if (self.limits or self.measure_when_unsure) and self.space is None:
            raise InputError("Limits on work, and measuring, take texts of a `space`.")

    @property
    def budget_left(self) -> int:
        """How many networks may still be measured."""
        return self.measure_when_unsure - len(self.asked)

    def judge(self, networks: Iterable[Any], **options: Any) -> Judgement:
        """Whether each network keeps the limits.

        Args:
            networks: texts of the space, or without one whatever `RemoteTarget.predict` takes.
            **options: of `RemoteTarget.predict`.

        Raises:
            LatcastError: the target cannot be asked.
            UnavailableError: what is measured is not finished in time.
        """
        names = listed(networks)
        work = self.target.work(names, space=self.space) if self.limits and self.space else None
        first = self._judged(names, work, options)
        chosen = self._worth_measuring(names, first)
        if not chosen or self.space is None:
            return first
        self.asked += chosen
        if not self.wait:
            self.target.ask_for(chosen, space=self.space)
            return first
        self.target.measure(chosen, space=self.space, timeout_s=self.timeout_s)
        return replace(self._judged(names, work, options), measured_now=len(chosen))

    def pick(self, networks: Iterable[Any], scores: Iterable[float], **options: Any) -> Pick:
        """The best of a list whose scores are known. While the budget lasts, the network that promises most
        (`worth_measuring`) is measured, and everything is forecast anew with what that taught.

        Args:
            networks: texts of the space, or without one whatever `RemoteTarget.predict` takes.
            scores: of each network, such as accuracies; larger is better.
            **options: of `RemoteTarget.predict`.

        Raises:
            InputError: there is not one score for each network.
            LatcastError: the target cannot be asked.
            UnavailableError: what is measured is not finished in time.
        """
        names, values = listed(networks), [float(score) for score in scores]
        if len(names) != len(values):
            raise InputError(
                f"{counted(len(names), 'network')}, but {counted(len(values), 'score')}: give one for each."
            )
        work = self.target.work(names, space=self.space) if self.limits and self.space else None
        measured: list[str] = []
        while True:
            judgement = self._judged(names, work, options)
            place = self._promising(names, values, judgement) if self.budget_left > 0 else None
            if place is None or self.space is None:
                break
            measured.append(names[place])
            self.asked.append(names[place])
            self.target.measure([names[place]], space=self.space, timeout_s=self.timeout_s)
        kept = [place for place, feasible in enumerate(judgement.feasible) if feasible]
        best = max(kept, key=values.__getitem__, default=None)
        return Pick(place=best, network=None if best is None else names[best], measured=measured, judgement=judgement)

    def _promising(self, names: Sequence[Any], scores: Sequence[float], judgement: Judgement) -> int | None:
        """The place of the network whose measurement promises most, among those that keep all other limits."""
        allowed = self._others_kept(judgement)
        known = judgement.forecasts.measured
        return worth_measuring(
            [p if ok else 0.0 for p, ok in zip(judgement.probability, allowed, strict=True)],
            scores,
            measured=[bool(done) or name in self.asked for done, name in zip(known, names, strict=True)],
            trusted=self.probability,
        )

    def _judged(self, names: Sequence[Any], work: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Judgement:
        forecasts = self.target.predict(names, space=self.space, **options)
        return judged(forecasts, self.limit_ms, self.probability, work=work, limits=self.limits)

    def _worth_measuring(self, names: Sequence[Any], judgement: Judgement) -> list[str]:
        """Those that are unsure, keep all other limits, and were not asked for: the least decided first."""
        allowed = self._others_kept(judgement)
        open_places = [
            place
            for place, unsure in enumerate(judgement.unsure)
            if unsure and allowed[place] and names[place] not in self.asked
        ]
        open_places.sort(key=lambda place: abs(judgement.probability[place] - 0.5))
        return list(dict.fromkeys(names[place] for place in open_places))[: max(0, self.budget_left)]

    @staticmethod
    def _others_kept(judgement: Judgement) -> list[bool]:
        """Whether each network keeps all limits but that on latency."""
        others = [column for name, column in judgement.violations.items() if name != "latency_ms"]
        return [all(other[place] <= 0 for other in others) for place in range(len(judgement.forecasts))]
