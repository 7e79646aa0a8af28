"""The fits of a training: one for each fold that is held out and one on all rows, wherever an executor does them.

Each is done by itself from the plan, its seed included, so that what comes of it is the same in this process, in
another one and on a cluster, in whichever order. What is done is kept by the caller alone, and not done again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError
from latcast.schema.counting import counted
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset, Predictor, Progress
from predictors.data.splits import row_keys
from predictors.evaluation.checkpoints import Arrays, Checkpoints, keep_arrays, kept_arrays
from predictors.evaluation.plan import Plan
from predictors.execution import Executor, ThreadExecutor
from predictors.features.references import reference_key
from predictors.registry import load_predictor
from profilers.progress import part_of_progress

__all__ = ["ALL_ROWS", "NETWORKS", "SAMPLES", "TARGETS", "Fit", "Rows", "carry_out", "fitted_predictor"]

SAMPLES = 10
"""Measurements of a held-out target that a predictor is adapted to, those of reference architectures included."""
NETWORKS, TARGETS = "networks", "targets"
"""Kinds of folds: their held-out rows are networks that training has not seen, or targets."""
Rows = NDArray[np.intp]
Forecasts = tuple[FloatArray, FloatArray]
"""Median latency in ms and standard deviation of its logarithm, each float64 (n,), NaN where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit. What comes of it are arrays.

    Of a fold these are `median` and `spread`, each float64 (len(outer),): forecasts in ms of the held-out rows, and the
    standard deviation of their logarithms, NaN where there is none. Of the fit on all rows they are `artifact`, the
    bytes of the fitted predictor's, and `fit_s`, the seconds that it took.

    Args:
        name: under which what comes of it is kept.
        what: what it is, for people.
        by: what is held out, `NETWORKS` or `TARGETS`; empty where nothing is.
        inner: indices of the rows that are learnt from; all rows where nothing is held out.
        outer: indices of the rows that are held out.
    """

    name: str
    what: str
    by: str = ""
    inner: Rows | None = None
    outer: Rows | None = None

    @classmethod
    def fold(cls, by: str, number: int, count: int, split: tuple[Rows, Rows]) -> "Fit":
        """A fold, the `number`th of `count` from 0 on, which learns from the first rows of the split."""
        inner, outer = split
        return cls(name=f"{by}-{number}", what=f"fold {number + 1} of {count} by {by}", by=by, inner=inner, outer=outer)


ALL_ROWS = Fit(name="fitted", what="fitting on all rows")
"""The fit of the predictor that a training is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """A training, as all its fits see it.

    Args:
        plan, dataset: of the training.
        watching: the progress of each fit; None where fits are done in other processes, or several at a time.
    """

    plan: Plan
    dataset: LatencyDataset
    watching: Callable[[Fit], Progress] | None = None


def carry_out(
    fits: Sequence[Fit],
    plan: Plan,
    dataset: LatencyDataset,
    *,
    progress: Progress | None = None,
    checkpoints: Checkpoints,
    executor: Executor | None = None,
) -> dict[str, Arrays]:
    """Do fits that are not done yet; the arrays of each, by its name.

    Args:
        fits: in the order in which one process does them; several begin with the last, which takes longest.
        plan: what is trained.
        dataset: all rows; a copy goes to each process.
        progress: called with the share that is done: within a fit where this process does them one by one, else as each
            of them gets done.
        checkpoints: keeps what is done; what is there already is not done again.
        executor: does the fits; this process where left out.

    Raises:
        InputError, MissingEvidenceError: the kind cannot learn from the rows.
        LatcastError: a process or a cluster that did a part was lost.
    """
    executor = executor or ThreadExecutor()
    done = {fit.name: arrays for fit in fits if (arrays := kept_arrays(checkpoints, fit.name)) is not None}
    left = [fit for fit in fits if fit.name not in done]
    if not left:
        return done
    one_by_one = isinstance(executor, ThreadExecutor) and executor.slots == 1
    watching = _watching(fits, progress) if progress and one_by_one else None
    if progress and not one_by_one:
        progress(len(done) / len(fits), f"{counted(len(left), 'fit')}, {executor.slots} at a time")
    training = _Training(plan=plan, dataset=dataset, watching=watching)
    with closing(executor.completed(_done, training, left if one_by_one else left[::-1])) as completed:
        for fit, arrays in completed:
            keep_arrays(checkpoints, fit.name, arrays)
            done[fit.name] = arrays
            if progress and not one_by_one:
                progress(len(done) / len(fits), f"{fit.what}: done")
    return done


def fitted_predictor(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[Predictor, float]:
    """The predictor that came of `ALL_ROWS`, and the seconds that its fit took."""
    return load_predictor(Artifact.from_bytes(arrays["artifact"].tobytes())), float(arrays["fit_s"])


def _watching(fits: Sequence[Fit], progress: Progress) -> Callable[[Fit], Progress]:
    """The progress of each fit as a part of the whole, in which all take the same share."""
    places = {fit.name: place for place, fit in enumerate(fits)}

    def watched(fit: Fit) -> Progress:
        place = places[fit.name]
        part = part_of_progress(progress, place / len(fits), (place + 1) / len(fits))
        return lambda share, what: part(share, f"{fit.what}: {what}")

    return watched


def _done(training: _Training, fit: Fit) -> tuple[Fit, Arrays]:
    plan, dataset = training.plan, training.dataset
    progress = None if training.watching is None else training.watching(fit)
    started = perf_counter()
    rows = dataset if fit.inner is None else dataset.subset(fit.inner)
    predictor = plan.construct().fit(rows, progress=progress)
    if fit.outer is None:
        fit_s = perf_counter() - started
        content = np.frombuffer(predictor.to_artifact().to_bytes(), dtype=np.uint8)
        return fit, {"artifact": content, "fit_s": np.array(fit_s)}
    held_out = dataset.subset(fit.outer)
    forecast = _forecast_targets if fit.by == TARGETS else _forecast_rows
    median, spread = forecast(predictor, held_out, plan.seed)
    return fit, {"median": median, "spread": spread}


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
