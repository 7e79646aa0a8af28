"""HELP: hardware-adaptive latency prediction by meta-learning (Lee, Lee, Chong and Hwang, NeurIPS 2021).

https://arxiv.org/abs/2106.08630; the authors' code: https://github.com/HayeonLee/HELP.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch

from latcast.schema import Architecture, DeviceEvidence, InputError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest, row_keys
from predictors.evaluation.metrics import spearman
from predictors.features.cells import FEATURE_VERSION, SPACES, cell_architectures, help_arrays, space_of, trained_share
from predictors.features.references import architecture_of, common_references, min_max, reference_latencies
from predictors.kinds.help.episodes import MetaTasks, label_line
from predictors.kinds.help.network import MetaLearner, Parameters
from predictors.kinds.torch_training import Training, load_parameters, seeded, stored_parameters, train

__all__ = ["HelpPredictor"]

_CHUNK = 512
"""Architectures that are forecast at a time: what stays in a processor's cache."""

Line = tuple[float, float, float]
"""ms = max(floor, slope · label + intercept), as (slope, intercept, floor)."""

_NO_LINE: Line = (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    """What is known of one device.

    Args:
        embedding: float64 (r,), reference latencies scaled to 0–1.
        line: from normalised labels to ms.
        parameters: float64 tensors with a sample of z in each row.
    """

    embedding: FloatArray
    line: Line
    parameters: Parameters

    def latency_ms(self, labels: FloatArray) -> FloatArray:
        """Normalised labels (n,) in ms."""
        slope, intercept, floor = self.line
        return np.maximum(slope * labels + intercept, floor)


class HelpPredictor(Predictor):
    """A regressor that is meta-learned to adapt to a device in two gradient steps.

    A device is described by its latencies on fixed reference architectures, min-max scaled. An episode draws devices;
    for each, the parameters are modulated by a Gaussian z of its description, moved by `inner_steps` gradient steps
    with learned rates on `support_rows` rows, and judged on `query_rows` others; the outer gradient is of second order.

    The settings are the paper's, or its code's where they differ. Departures:

    - A target's labels are scaled by the range of 900 of its latencies in the paper; here by the straight line from
      what the network says of the measured rows before it adapts.
    - The reference rows are measured anyway, so they join the support.
    - The divergence of every device of an episode enters the loss; the authors' code takes the last device's, times
      the number of devices.
    - Forecasts are the mean of the Monte-Carlo samples; the authors' code reports the last one.
    - Milliseconds come from a straight line through the measured rows, reference rows included; the paper stops at
      ranks.

    Args:
        episodes: of meta-training; the paper takes 4,000 for FBNet.
        meta_rate: outer learning rate.
        inner_steps: gradient steps of an adaptation.
        inner_rate: what the learned inner rates start from.
        devices_per_episode: at most.
        support_rows: rows of a device that an episode adapts with.
        query_rows: rows of a device that an episode is judged on, at most.
        trim: share of rows at each end of a device's latencies that meta-training leaves out.
        width: of the layers.
        modulation: how strongly z acts.
        divergence_weight: of KL(q(z) ‖ N(0, 1)) in the loss.
        samples: of z at test time.
        evaluate_every: episodes between looks at the validation targets; the best state is kept.
        seed: of everything random.
    """

    kind: ClassVar[str] = "help"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture"}),
        spaces=SPACES,
        empty_support=True,
        evidence=frozenset({"reference_latency_ms"}),
    )

    def __init__(
        self,
        *,
        episodes: int = 2000,
        meta_rate: float = 1e-4,
        inner_steps: int = 2,
        inner_rate: float = 1e-3,
        devices_per_episode: int = 8,
        support_rows: int = 10,
        query_rows: int = 200,
        trim: float = 0.1,
        width: int = 100,
        modulation: float = 0.01,
        divergence_weight: float = 0.1,
        samples: int = 10,
        evaluate_every: int = 50,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.episodes, self.meta_rate = episodes, meta_rate
        self.inner_steps, self.inner_rate = inner_steps, inner_rate
        self.devices_per_episode, self.support_rows, self.query_rows = devices_per_episode, support_rows, query_rows
        self.trim, self.width = trim, width
        self.modulation, self.divergence_weight, self.samples = modulation, divergence_weight, samples
        self.evaluate_every = evaluate_every
        self.learner_: MetaLearner | None = None
        self.adapted_: _Device | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Meta-learn from the rows of several targets.

        Args:
            data: of one search space, with `reference_latency_ms` among the evidence of every target.
            validation: rows of other targets, with evidence; the state with the best mean Spearman there is kept.
            progress: called every `evaluate_every` episodes.
        """
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        self.space_, self.references_ = space_of(data.queries), common_references(data)
        tasks = MetaTasks(data, self.references_, trim=self.trim, support_rows=self.support_rows)
        self.seen_ = tasks.seen
        self.adapted_ = None
        with seeded(self.seed):
            self.learner_ = self._new_learner()
            self._train(self.learner_, tasks, validation, progress)
        self.devices_ = {
            target: self._unadapted(embedding, (*label_line(*tasks.ranges[target]), 0.1 * tasks.ranges[target][0]))
            for target, embedding in tasks.embeddings.items()
        }
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Gradient steps from each of several samples of z.

        Args:
            target: what it will forecast for.
            support: measured rows; may be empty.
            evidence: holds the reference latencies, unless the support's evidence or its rows do.
        """
        self.require_fitted("learner_")
        known_ms = reference_latencies(self.references_, support, target.id, evidence)
        rows = cell_architectures(support.queries, self.space_)
        extra = [i for i, key in enumerate(row_keys(support)) if key not in set(self.references_)]
        measured = [*(architecture_of(key) for key in self.references_), *(rows[i] for i in extra)]
        measured_ms = np.concatenate([known_ms, support.latency_ms[extra]])
        adapted = copy(self)
        adapted.adapted_ = self._device(min_max(known_ms), measured, measured_ms)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, targets of training are known by their description, others by the mean of it."""
        self.require_fitted("learner_")
        if not queries:
            return Prediction(median_ms=np.empty(0))
        architectures = cell_architectures(queries, self.space_)
        if self.adapted_ is not None:
            return Prediction(median_ms=self.adapted_.latency_ms(self._labels(self.adapted_, architectures)))
        median, rows = np.empty(len(queries)), dict[TargetId, list[int]]()
        for index, query in enumerate(queries):
            rows.setdefault(query.target.id, []).append(index)
        for target, part in rows.items():
            device = self.devices_.get(target) or self._mean_device()
            median[part] = device.latency_ms(self._labels(device, [architectures[i] for i in part]))
        return Prediction(median_ms=median)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there."""
        self.require_fitted("learner_")
        return trained_share(self.seen_, cell_architectures(queries, self.space_))

    def references(self) -> tuple[str, ...]:
        """Those that describe a device."""
        self.require_fitted("learner_")
        return self.references_

    def device_descriptor(self) -> str | None:
        """Latencies on the references."""
        return "reference_latency_ms"

    def to_artifact(self) -> Artifact:
        """Meta-learned parameters; of an adapted predictor also the adapted ones of each sample."""
        arrays = stored_parameters(self._learner, "learner.")
        arrays |= {
            "seen": self.seen_,
            "embeddings": np.array([device.embedding for device in self.devices_.values()]),
        }
        arrays["lines"] = np.array([device.line for device in self.devices_.values()])
        if self.adapted_ is not None:
            arrays |= {f"adapted.{name}": value.float().numpy() for name, value in self.adapted_.parameters.items()}
            arrays |= {"adapted_embedding": self.adapted_.embedding, "adapted_line": np.array(self.adapted_.line)}
        return self.make_artifact(
            arrays=arrays,
            vocabulary={"space": self.space_, "references": list(self.references_), "targets": list(self.devices_)},
            feature_version=FEATURE_VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(FEATURE_VERSION)
        predictor.space_, predictor.references_ = (
            artifact.vocabulary_entry("space"),
            tuple(artifact.vocabulary_entry("references")),
        )
        predictor.seen_ = artifact.array("seen", ndim=1)
        predictor.learner_ = predictor._new_learner()
        load_parameters(predictor.learner_, artifact.arrays, "learner.")
        embeddings, lines = artifact.array("embeddings", ndim=2), artifact.array("lines", ndim=2)
        predictor.devices_ = {
            target: predictor._unadapted(embedding, _as_line(line))
            for target, embedding, line in zip(artifact.vocabulary_entry("targets"), embeddings, lines, strict=True)
        }
        if "adapted_line" in artifact.arrays:
            names = [name for name, _ in predictor.learner_.net.named_parameters()]
            stored = {name: torch.from_numpy(artifact.array(f"adapted.{name}").copy()).double() for name in names}
            predictor.adapted_ = _Device(
                embedding=artifact.array("adapted_embedding", ndim=1),
                line=_as_line(artifact.array("adapted_line", ndim=1)),
                parameters=stored,
            )
        return predictor

    @property
    def _learner(self) -> MetaLearner:
        self.require_fitted("learner_")
        assert self.learner_ is not None  # noqa: S101 - just checked
        return self.learner_

    def _new_learner(self) -> MetaLearner:
        arrays = help_arrays([architecture_of(self.references_[0])])
        return MetaLearner(
            arrays[0].shape[-1],
            graph=len(arrays) > 1,
            embedding=len(self.references_),
            width=self.width,
            inner_rate=self.inner_rate,
            inner_steps=self.inner_steps,
            modulation=self.modulation,
            divergence_weight=self.divergence_weight,
        )

    def _train(
        self, learner: MetaLearner, tasks: MetaTasks, validation: LatencyDataset | None, progress: Progress | None
    ) -> None:
        rng = np.random.default_rng(self.seed)
        block = min(self.evaluate_every, self.episodes)
        draw = {"devices": self.devices_per_episode, "query_rows": self.query_rows, "noise": learner.modulator.size}
        train(
            learner,
            lambda: tasks.episodes(rng, block, **draw),
            learner.episode_loss,
            Training(epochs=self.episodes // block, learning_rate=self.meta_rate, keep_best=validation is not None),
            score=None if validation is None else lambda: self._validation_loss(validation),
            progress=progress,
        )

    def _validation_loss(self, validation: LatencyDataset) -> float:
        """1 − mean Spearman over the validation targets, each adapted to with the same few rows."""
        losses = []
        for rows in validation.targets().values():
            order = np.random.default_rng(self.seed).permutation(np.array(rows))
            support, rest = validation.subset(order[: self.support_rows]), validation.subset(order[self.support_rows :])
            forecast = self.adapt(support.queries[0].target, support).predict(rest.queries)
            losses.append(1 - spearman(rest.latency_ms, forecast.median_ms))
        return float(np.mean(losses))

    def _device(self, embedding: FloatArray, measured: Sequence[Architecture], measured_ms: FloatArray) -> _Device:
        """Adapted on the measured rows."""
        before = self._unadapted(embedding, _NO_LINE)
        line = _line_through(self._labels(before, measured), measured_ms)
        noise = np.random.default_rng(self.seed).standard_normal((self.samples, self._learner.modulator.size))
        parameters = self._learner.adapt_samples(
            torch.from_numpy(embedding.astype(np.float32)),
            tuple(torch.from_numpy(array) for array in help_arrays(measured)),
            torch.from_numpy(((measured_ms - line[1]) / line[0]).astype(np.float32)),
            torch.from_numpy(noise.astype(np.float32)),
        )
        exact = {name: value.double() for name, value in parameters.items()}
        after = _Device(embedding=embedding, line=line, parameters=exact)
        return replace(after, line=_line_through(self._labels(after, measured), measured_ms, relative=True))

    def _unadapted(self, embedding: FloatArray, line: Line) -> _Device:
        hardware = torch.from_numpy(embedding.astype(np.float32))
        with torch.no_grad():
            parameters, _ = self._learner.modulated(hardware, torch.zeros(self._learner.modulator.size))
        exact = {name: value[None].double() for name, value in parameters.items()}
        return _Device(embedding=embedding, line=line, parameters=exact)

    def _mean_device(self) -> _Device:
        embedding = np.mean([device.embedding for device in self.devices_.values()], axis=0)
        return self._unadapted(embedding, _as_line(np.mean([device.line for device in self.devices_.values()], axis=0)))

    def _labels(self, device: _Device, architectures: Sequence[Architecture]) -> FloatArray:
        hardware, parts = torch.from_numpy(device.embedding), list[FloatArray]()
        for start in range(0, len(architectures), _CHUNK):
            arrays = help_arrays(architectures[start : start + _CHUNK])
            exact = tuple(torch.from_numpy(array).double() for array in arrays)
            parts.append(self._learner.forecast(device.parameters, hardware, exact).numpy())
        return np.concatenate(parts)


def _as_line(values: FloatArray) -> Line:
    slope, intercept, floor = (float(value) for value in values)
    return slope, intercept, floor


def _line_through(labels: FloatArray, measured_ms: FloatArray, *, relative: bool = False) -> Line:
    """Least squares of the error, or of the relative one; where that does not rise, the range of the rows."""
    weights = 1 / measured_ms if relative else np.ones_like(measured_ms)
    design = np.stack([labels, np.ones_like(labels)], axis=1) * weights[:, None]
    slope, intercept = np.linalg.lstsq(design, measured_ms * weights, rcond=None)[0]
    if slope <= 1e-6 * measured_ms.mean():
        low, high = np.quantile(measured_ms, (0.1, 0.9))
        slope, intercept = label_line(float(low), max(float(high), 1.1 * float(low)))
    return float(slope), float(intercept), 0.1 * float(measured_ms.min())
