"""Training a predictor of any kind, with figures of rows that were held out of training.

Two kinds of folds: by networks (the targets are known, the networks are new), and by targets (the target is new, and
the predictor is adapted to a few of its rows).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError
from predictors.base import FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance
from predictors.data.splits import dataset_digest, group_folds, row_keys
from predictors.evaluation.checkpoints import Checkpoints, NoCheckpoints, kept_arrays
from predictors.evaluation.metrics import report
from predictors.features.references import reference_key
from predictors.registry import predictor_class

__all__ = ["HeldOut", "Plan", "Trained", "cross_validate", "train"]

FEWEST_TARGETS = 3
"""Targets from which on some are held out: with two, one would stand for all others."""
SAMPLES = 10
"""Measurements of a held-out target that a predictor is adapted to, those of reference architectures included."""
SPREAD_OF = ("spearman", "median_ape", "within_10", "within_20")
"""Figures of which the standard deviation over the folds is kept."""
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained, and how it is judged.

    Args:
        kind: kind of the predictor, as registered in `latcast.predictors`.
        hyperparameters: arguments of the predictor's constructor without the seed.
        seed: seed of the predictor, of the folds and of the samples of held-out targets.
        folds: parts of the networks, each held out once; fewer than two leave that out.
        target_folds: parts of the targets, each held out once; fewer than two, or than three targets, leave that out.
        groups: group of each row, which is never split between folds; by default the key of its network.
        families: family of the network of each row, for figures by family; none where left out.
    """

    kind: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    folds: int = 5
    target_folds: int = 0
    groups: Sequence[str] | None = None
    families: Sequence[str] | None = None

    def construct(self) -> Predictor:
        """The predictor, unfitted.

        Raises:
            UnknownNameError: the kind is not registered.
            ImportError: a library that the kind needs is not installed.
            InputError: the kind lacks one of the hyperparameters.
        """
        cls = predictor_class(self.kind)
        try:
            return cls(seed=self.seed, **self.hyperparameters)
        except TypeError as error:
            accepted = ", ".join(sorted(set(cls(seed=self.seed).hyperparameters()) - {"seed"})) or "none"
            raise InputError(f"Unknown hyperparameters for {self.kind!r} ({error}); it has {accepted}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Forecasts of rows that were held out.

    Args:
        median_ms: float64 (n,); NaN for rows without a forecast.
        log_std: float64 (n,), width of the forecasts with their tails; NaN where the predictor claims none.
        fold: intp (n,), the fold in which the row was held out.
    """

    median_ms: FloatArray
    log_std: FloatArray
    fold: Rows

    @property
    def rows(self) -> Rows:
        """Indices of the rows that have a forecast."""
        return np.flatnonzero(np.isfinite(self.median_ms))

    def prediction(self, rows: Rows) -> Prediction:
        """The forecasts of these rows."""
        spread = self.log_std[rows]
        return Prediction(median_ms=self.median_ms[rows], log_std=None if np.isnan(spread).any() else spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A predictor that was fitted on all rows, and the forecasts of held-out rows that its figures are of.

    Args:
        predictor: fitted; `provenance_` has the figures.
        networks: forecasts of held-out networks; None where none were held out.
        targets: forecasts of held-out targets; None where none were held out.
    """

    predictor: Predictor
    networks: HeldOut | None
    targets: HeldOut | None


def train(
    plan: Plan,
    dataset: LatencyDataset,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Fit a predictor on all rows, after judging its kind on held-out ones.

    The figures are those of `cross_validate`, with `fit_s`, `rows`, and the number of networks. They travel in the
    artifact.

    Args:
        plan: what is trained, and how it is judged.
        dataset: rows of the training set.
        progress: called with the share that is done.
        checkpoints: keeps what is done; by default nothing.

    Raises:
        UnknownNameError: the kind is not registered.
        ImportError: a library that the kind needs is not installed.
        InputError: the kind lacks one of the hyperparameters, or cannot learn from the rows.
        MissingEvidenceError: the kind needs evidence that the data set lacks for one of its targets.
    """
    predictor = plan.construct()
    rounds = max(plan.folds, 0) + _target_folds(plan, dataset)
    judged = rounds / (rounds + 1)
    networks, targets, figures = cross_validate(
        plan, dataset, progress=_within(progress, 0.0, judged), checkpoints=checkpoints
    )
    started = perf_counter()
    predictor.fit(dataset, progress=_within(progress, judged, 1.0, "fitting on all rows"))
    metrics: dict[str, Any] = {"rows": len(dataset), "networks": len(set(_groups(plan, dataset))), **figures}
    metrics["fit_s"] = round(perf_counter() - started, 3)
    predictor.provenance_ = Provenance(dataset_digest=dataset_digest(dataset), metrics=metrics)
    return Trained(predictor=predictor, networks=networks, targets=targets)


def cross_validate(
    plan: Plan,
    dataset: LatencyDataset,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[HeldOut | None, HeldOut | None, dict[str, Any]]:
    """Forecasts of held-out networks and of held-out targets, and their figures.

    The figures (see `predictors.evaluation.metrics.report`) of held-out networks are `cross_validation` over all
    targets, with their standard deviation over the folds as `spread`, `targets` by target id, and `families`; those of
    held-out targets are `held_out_targets`, the same with its own `targets`. Data of a single network yield none.

    The arguments and the errors are those of `train`.
    """
    folds = _Folds(plan, dataset, NoCheckpoints() if checkpoints is None else checkpoints)
    splits = list(group_folds(_groups(plan, dataset), plan.folds, seed=plan.seed))
    apart = list(group_folds(_target_names(dataset), _target_folds(plan, dataset), seed=plan.seed))
    share = len(splits) / max(1, len(splits) + len(apart))
    networks = targets = None
    figures: dict[str, Any] = {}
    if splits:
        networks = folds.held_out("networks", splits, _forecast_rows, _within(progress, 0.0, share))
        figures |= _figures(dataset, networks, plan.families)
    if apart:
        targets = folds.held_out("targets", apart, _forecast_targets, _within(progress, share, 1.0))
        if len(targets.rows):
            found = _figures(dataset, targets, plan.families)
            others = {name: value for name, value in found.items() if name != "cross_validation"}
            figures["held_out_targets"] = {**found["cross_validation"], **others, "samples": SAMPLES}
    return networks, targets, figures


Forecasts = tuple[FloatArray, FloatArray]
"""Median latency in ms and standard deviation of its logarithm, each float64 (n,), NaN where there is none."""


@dataclass(frozen=True, slots=True)
class _Folds:
    """Forecasts fold by fold; those that were made before are taken from the checkpoints."""

    plan: Plan
    dataset: LatencyDataset
    checkpoints: Checkpoints

    def held_out(
        self,
        name: str,
        splits: Sequence[tuple[Rows, Rows]],
        forecast: Callable[[Predictor, LatencyDataset, int], Forecasts],
        progress: Progress | None,
    ) -> HeldOut:
        median, spread = np.full(len(self.dataset), np.nan), np.full(len(self.dataset), np.nan)
        fold = np.zeros(len(self.dataset), dtype=np.intp)
        for number, (inner, outer) in enumerate(splits):
            what = f"fold {number + 1} of {len(splits)} by {name}"
            part = _within(progress, number / len(splits), (number + 1) / len(splits), what)

            def forecasts(inner: Rows = inner, outer: Rows = outer, part: Progress | None = part) -> dict[str, Any]:
                fitted = self.plan.construct().fit(self.dataset.subset(inner), progress=part)
                made = forecast(fitted, self.dataset.subset(outer), self.plan.seed)
                return dict(zip(("median", "spread"), made, strict=True))

            arrays = kept_arrays(self.checkpoints, f"{name}-{number}", forecasts)
            median[outer], spread[outer], fold[outer] = arrays["median"], arrays["spread"], number
        return HeldOut(median_ms=median, log_std=spread, fold=fold)


def _forecast_rows(predictor: Predictor, rows: LatencyDataset, _seed: int) -> Forecasts:
    prediction = predictor.predict(rows.queries)
    if prediction.log_std is None:
        return prediction.median_ms, np.full(len(rows), np.nan)
    return prediction.median_ms, prediction.log_std * prediction.tail_scale


def _forecast_targets(predictor: Predictor, rows: LatencyDataset, seed: int) -> Forecasts:
    """Forecasts of targets, each after an adaptation to a few of its rows, which have none."""
    median, spread = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for number, (target_id, places) in enumerate(rows.targets().items()):
        target, evidence = rows.queries[places[0]].target, rows.evidence.get(target_id)
        support = _support(predictor, rows, places, evidence, np.random.default_rng([seed, number]))
        rest = np.setdiff1d(places, support)
        try:
            adapted = predictor.adapt(target, rows.subset(support), evidence)
        except (InputError, MissingEvidenceError):
            continue
        if len(rest):
            median[rest], spread[rest] = _forecast_rows(adapted, rows.subset(rest), seed)
    return median, spread


def _support(
    predictor: Predictor,
    rows: LatencyDataset,
    places: Sequence[int],
    evidence: DeviceEvidence | None,
    rng: np.random.Generator,
) -> Rows:
    """The rows of a target that are measured: the references that the predictor needs, and others at random."""
    keys = row_keys(rows.subset(places))
    wanted = set(predictor.references()) & set(evidence.reference_latency_ms if evidence else ())
    texts = ["" if (named := rows.queries[place].architecture) is None else reference_key(named) for place in places]
    references = [place for place, key, text in zip(places, keys, texts, strict=True) if wanted & {key, text}]
    others = rng.permutation(np.setdiff1d(places, references))[: max(0, SAMPLES - len(wanted))]
    return np.sort(np.concatenate([references, others]).astype(np.intp))


def _figures(dataset: LatencyDataset, held_out: HeldOut, families: Sequence[str] | None) -> dict[str, Any]:
    judged = held_out.rows

    def figures(rows: Rows) -> dict[str, Any]:
        return report(dataset.latency_ms[rows], held_out.prediction(rows))

    def by(names: Sequence[str]) -> dict[str, Any]:
        labels = np.array(names)[judged]
        return {name: figures(judged[labels == name]) for name in dict.fromkeys(labels.tolist())}

    folds = [figures(judged[held_out.fold[judged] == number]) for number in np.unique(held_out.fold[judged])]
    found: dict[str, Any] = {"cross_validation": {**figures(judged), "folds": len(folds), "spread": _spread(folds)}}
    found["targets"] = by(_target_names(dataset))
    if families is not None:
        found["families"] = by(families)
    return found


def _spread(folds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Standard deviation over the folds of those figures that every fold has; nothing for a single fold."""
    values = {name: [fold[name] for fold in folds] for name in SPREAD_OF}
    return {name: float(np.std(each, ddof=1)) for name, each in values.items() if len(each) > 1 and None not in each}


def _groups(plan: Plan, dataset: LatencyDataset) -> list[str]:
    return row_keys(dataset) if plan.groups is None else list(plan.groups)


def _target_names(dataset: LatencyDataset) -> list[str]:
    names = [""] * len(dataset)
    for target_id, rows in dataset.targets().items():
        for row in rows:
            names[row] = target_id
    return names


def _target_folds(plan: Plan, dataset: LatencyDataset) -> int:
    count = len(dataset.targets())
    return min(plan.target_folds, count) if plan.target_folds > 1 and count >= FEWEST_TARGETS else 0


def _within(progress: Progress | None, low: float, high: float, doing: str = "") -> Progress | None:
    """A function that reports the progress of a part as progress of the whole."""
    if progress is None:
        return None
    before = f"{doing}: " if doing else ""
    return lambda share, what: progress(low + share * (high - low), f"{before}{what}")
