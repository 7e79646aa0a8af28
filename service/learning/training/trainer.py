"""One training from frozen rows to an artifact with its card, in parts that are kept as they get done."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from latcast.schema import BackendUnavailableError, InputError, to_plain
from latcast.schema.counting import counted
from predictors.base import Capabilities, LatencyDataset, Predictor, Progress
from predictors.evaluation.checkpoints import Checkpoints
from predictors.evaluation.cross_validation import Plan, Trained, train
from predictors.execution import Executor, open_executor
from predictors.registry import predictor_class
from service.db.session import Database
from service.graphs.resolver import Resolver
from service.jobs.payloads import TrainPayload
from service.learning import datasets
from service.learning.training.card import calibration_svg, data_facts, model_card
from service.learning.training.rows import (
    choose_rows,
    families,
    groups,
    needs_references,
    references_describe,
    with_references,
)

__all__ = ["ARTIFACT", "CARD", "RESULT", "SVG", "Trainer", "kind_class"]

ARTIFACT, CARD, SVG, RESULT = "artifact", "card", "calibration.svg", "result"
"""Names under which what came of a training is kept; the result is the last of them."""
DATASET = "dataset"
READING_SHARE = 0.1
"""Share of the progress that reading graphs takes, about."""
HOW = ("workers",)
"""What a payload has that neither chooses rows nor changes what comes of them."""
NAMED_REASONS = 3


class Trainer:
    """Carries a training out; what is kept already is not done again.

    Args:
        database: with the measurements.
        resolver: reads graphs.
        checkpoints: of the job.
        progress: of the job.
        fitting: of the job while it fits, where its first words are not to wait behind those of reading graphs; by
            default the same.
        executor: opens what does the fits, once they can begin; by default this process.
    """

    def __init__(
        self,
        database: Database,
        resolver: Resolver,
        checkpoints: Checkpoints,
        progress: Progress,
        *,
        fitting: Progress | None = None,
        executor: Callable[[], AbstractContextManager[Executor]] | None = None,
    ) -> None:
        self._database, self._resolver = database, resolver
        self._checkpoints, self._progress, self._fitting = checkpoints, progress, fitting or progress
        self._executor = executor or partial(open_executor, workers=1)

    def run(self, asked: TrainPayload) -> None:
        """Train, and keep what comes of it under `ARTIFACT`, `CARD`, `SVG` and `RESULT`.

        Raises:
            UnknownNameError: nobody registered the kind.
            BackendUnavailableError: the kind, or the executor, needs a library that is not installed.
            InputError: there are no rows, or the kind cannot learn from them.
            MissingEvidenceError: the kind needs evidence that the targets lack.
            LeaseLostError: the job was cancelled, or went on to somebody else.
            LatcastError: a process or a cluster that did a part of it was lost.
        """
        if self._checkpoints.load(RESULT) is not None:
            return
        kind_class(asked.predictor)
        plan = Plan(
            kind=asked.predictor,
            hyperparameters=asked.hyperparameters,
            seed=asked.seed,
            folds=asked.folds,
            target_folds=asked.target_folds,
        )
        capabilities = plan.construct().training_capabilities()
        dataset_id = self._frozen(asked, capabilities)
        data, undescribed, unread = self._read(dataset_id, asked, capabilities)
        plan = replace(plan, groups=groups(data.queries), families=families(data.queries))
        with self._executor() as executor:
            trained = train(plan, data, progress=self._later, checkpoints=self._checkpoints, executor=executor)
        with self._database.read() as session:
            facts = data_facts(session, dataset_id, data, unread=unread, undescribed=undescribed)
        self._keep(trained, data, plan, facts)

    def _later(self, share: float, what: str) -> None:
        self._fitting(READING_SHARE + (1 - READING_SHARE) * share, what)

    def _frozen(self, asked: TrainPayload, capabilities: Capabilities) -> str:
        """Id of the manifest of the rows, which are chosen once for all who go on with the job."""
        if (kept := self._checkpoints.load(DATASET)) is not None:
            return kept.decode()
        self._progress(0.0, "choosing measurements")
        with self._database.read() as session:
            ids = choose_rows(session, asked, capabilities)
        with self._database.write.begin() as session:
            chosen_by = {name: value for name, value in to_plain(asked).items() if name not in HOW}
            dataset_id = datasets.freeze_dataset(session, ids, chosen_by=chosen_by).id
        self._checkpoints.save(DATASET, dataset_id.encode())
        return dataset_id

    def _read(
        self, dataset_id: str, asked: TrainPayload, capabilities: Capabilities
    ) -> tuple[LatencyDataset, int, int]:
        """The rows as the kind reads them, those of targets that lack references, and unreadable ones."""
        with self._database.read() as session:
            ids = datasets.frozen_row_ids(session, dataset_id)
            data = datasets.load_dataset(session, measurement_ids=ids, baseline_speed=True)
        chosen = len(data)
        if needs_references(capabilities):
            necessary = references_describe(data, capabilities)
            data = with_references(data, seed=asked.seed, necessary=necessary)
        undescribed = chosen - len(data)
        read, reasons = self._resolver.training_rows(
            data, capabilities, progress=lambda share, what: self._progress(READING_SHARE * share, what)
        )
        if not len(read):
            said = " ".join(dict.fromkeys(reasons[:NAMED_REASONS]))
            raise InputError(f"None of the {counted(len(data), 'measured network')} can be read. {said}")
        return read, undescribed, len(reasons)

    def _keep(self, trained: Trained, data: LatencyDataset, plan: Plan, facts: Mapping[str, Any]) -> None:
        predictor = trained.predictor
        provenance = predictor.provenance_
        predictor.provenance_ = replace(provenance, metrics={**provenance.metrics, "data": facts})
        artifact = predictor.to_artifact()
        self._checkpoints.save(ARTIFACT, artifact.to_bytes())
        self._checkpoints.save(SVG, calibration_svg(data, trained).encode())
        self._checkpoints.save(CARD, model_card(artifact).encode())
        result = {"dataset_id": facts["dataset"], "kind": plan.kind, **_figures(predictor)}
        self._checkpoints.save(RESULT, json.dumps(result).encode())


def kind_class(kind: str) -> type[Predictor]:
    """The class of a kind that is to be trained.

    Raises:
        UnknownNameError: nobody registered it.
        BackendUnavailableError: it needs a library that is not installed.
    """
    try:
        return predictor_class(kind)
    except ImportError as error:
        library = error.name or "a library"
        raise BackendUnavailableError(
            f"Training {kind!r} takes {library}, which is not installed where the worker runs: install "
            "latcast[torch] there (pip install 'latcast[torch]'), or train a kind that needs no torch."
        ) from error


def _figures(predictor: Predictor) -> Mapping[str, Any]:
    metrics = predictor.provenance_.metrics
    names = ("rows", "networks", "fit_s", "cross_validation")
    found = {name: metrics[name] for name in names if name in metrics}
    held_out = metrics.get("held_out_targets")
    if held_out is not None:
        found["held_out_targets"] = {
            name: value for name, value in held_out.items() if name not in ("targets", "families")
        }
    return found
