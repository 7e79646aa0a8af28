"""HELP: hardware-adaptive latency prediction by meta-learning (Lee, Lee, Chong and Hwang, NeurIPS 2021).

https://arxiv.org/abs/2106.08630; the authors' code: https://github.com/HayeonLee/HELP.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch

from latcast.schema import DeviceEvidence, InputError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest
from predictors.evaluation.metrics import spearman
from predictors.features.cells import SPACES
from predictors.kinds.help.episodes import MetaTasks
from predictors.kinds.help.network import MetaLearner, Parameters
from predictors.kinds.help.readings import CellReading, GraphReading, Line, Measured, Networks, Reading, stored_reading
from predictors.kinds.network_encoders import are_cells
from predictors.kinds.torch_training import Training, load_parameters, seeded, stored_parameters, train
from profilers.progress import no_progress, part_of_progress

__all__ = ["HelpPredictor"]

_CHUNK = 512
"""Architectures that are forecast at a time: what stays in a processor's cache."""

_ENCODING = 0.5
"""Share of the progress that training a graph network takes, about."""
_NO_LINE = Line(1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    """What is known of one device.

    Args:
        embedding: float64 (r,), by its latencies on the references.
        line: from normalised labels to latencies.
        parameters: float64 tensors with a sample of z in each row.
    """

    embedding: FloatArray
    line: Line
    parameters: Parameters


class HelpPredictor(Predictor):
    """A regressor that is meta-learned to adapt to a device in two gradient steps.

    A device is described by its latencies on fixed reference networks, min-max scaled. An episode draws devices;
    for each, the parameters are modulated by a Gaussian z of its description, moved by `inner_steps` gradient steps
    with learned rates on `support_rows` rows, and judged on `query_rows` others; the outer gradient is of second order.

    Rows of one search space are read as in the paper. Of anything else graphs are read, by frozen embeddings of a graph
    network that is trained first (`predictors.kinds.network_encoders.GraphEncoder`); labels are logarithms, of which
    the regressor learns what the graph network's forecast leaves, and references are networks that all targets of
    training have measured, in logarithms, too (`predictors.kinds.help.readings.GraphReading`).

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
        encoder_epochs: of the graph network, for graphs.
        encoder_width: of the graph network.
        encoder_layers: of the graph network.
        seed: of everything random.
    """

    kind: ClassVar[str] = "help"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture", "graph"}),
        spaces=SPACES,
        empty_support=True,
        evidence=frozenset({"reference_latency_ms"}),
        features=frozenset({"record", "costs"}),
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
        encoder_epochs: int = 60,
        encoder_width: int = 64,
        encoder_layers: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.episodes, self.meta_rate = episodes, meta_rate
        self.inner_steps, self.inner_rate = inner_steps, inner_rate
        self.devices_per_episode, self.support_rows, self.query_rows = devices_per_episode, support_rows, query_rows
        self.trim, self.width = trim, width
        self.modulation, self.divergence_weight, self.samples = modulation, divergence_weight, samples
        self.evaluate_every = evaluate_every
        self.encoder_epochs, self.encoder_width, self.encoder_layers = encoder_epochs, encoder_width, encoder_layers
        self.reading_: Reading | None = None
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
            data: with `reference_latency_ms` among the evidence of every target.
            validation: rows of other targets, with evidence; the state with the best mean Spearman there is kept.
            progress: called every `evaluate_every` episodes.
        """
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        self.adapted_ = None
        self.reading_, report = self._read(data, progress)
        networks, targets = self.reading_.targets(data, trim=self.trim)
        enough = {target: rows for target, rows in targets.items() if len(rows.labels) > self.support_rows}
        tasks = MetaTasks(networks.arrays, enough or targets, support_rows=self.support_rows)
        with seeded(self.seed):
            self.learner_ = self._new_learner()
            self._train(self.learner_, tasks, validation, report)
        self.devices_ = {target: self._unadapted(rows.embedding, rows.line) for target, rows in targets.items()}
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
        adapted = copy(self)
        adapted.adapted_ = self._device(self._reading.measured(target.id, support, evidence))
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, targets of training are known by their description, others by the mean of it."""
        self.require_fitted("learner_")
        if not queries:
            return Prediction(median_ms=np.empty(0))
        networks = self._reading.networks(queries)
        if self.adapted_ is not None:
            return Prediction(median_ms=self._latency_ms(self.adapted_, networks))
        median, rows = np.empty(len(queries)), dict[TargetId, list[int]]()
        for index, query in enumerate(queries):
            rows.setdefault(query.target.id, []).append(index)
        for target, part in rows.items():
            device = self.devices_.get(target) or self._mean_device()
            median[part] = self._latency_ms(device, networks.part(part))
        return Prediction(median_ms=median)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there; of graphs, of their cost in such operators."""
        self.require_fitted("learner_")
        return self._reading.encoder.coverage(queries)

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Those of a graph that training has not seen."""
        self.require_fitted("learner_")
        return self._reading.encoder.unknown_operators(query)

    def fitted_capabilities(self) -> Capabilities:
        """Architectures of one space, or graphs, whichever it learned from."""
        if self.reading_ is None:
            return self.capabilities
        return self.reading_.encoder.narrowed(self.capabilities)

    def references(self) -> tuple[str, ...]:
        """Those that describe a device."""
        self.require_fitted("learner_")
        return self._reading.references

    def device_descriptor(self) -> str | None:
        """Latencies on the references."""
        return "reference_latency_ms"

    def to_artifact(self) -> Artifact:
        """Meta-learned parameters; of an adapted predictor also the adapted ones of each sample."""
        arrays = stored_parameters(self._learner, "learner.")
        arrays["embeddings"] = np.array([device.embedding for device in self.devices_.values()])
        arrays["lines"] = np.array([device.line for device in self.devices_.values()])
        if self.adapted_ is not None:
            arrays |= {f"adapted.{name}": value.float().numpy() for name, value in self.adapted_.parameters.items()}
            arrays |= {"adapted_embedding": self.adapted_.embedding, "adapted_line": np.array(self.adapted_.line)}
        return self.make_artifact(
            arrays=arrays | self._reading.to_arrays(),
            vocabulary={**self._reading.vocabulary(), "targets": list(self.devices_)},
            feature_version=self._reading.encoder.feature_version,
            meta={"descriptor": self.device_descriptor()},
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        predictor.reading_ = stored_reading(artifact)
        predictor.learner_ = predictor._new_learner()
        load_parameters(predictor.learner_, artifact.arrays, "learner.")
        embeddings, lines = artifact.array("embeddings", ndim=2), artifact.array("lines", ndim=2)
        predictor.devices_ = {
            target: predictor._unadapted(embedding, Line(*line.tolist()))
            for target, embedding, line in zip(artifact.vocabulary_entry("targets"), embeddings, lines, strict=True)
        }
        if "adapted_line" in artifact.arrays:
            names = [name for name, _ in predictor.learner_.net.named_parameters()]
            stored = {name: torch.from_numpy(artifact.array(f"adapted.{name}").copy()).double() for name in names}
            predictor.adapted_ = _Device(
                embedding=artifact.array("adapted_embedding", ndim=1),
                line=Line(*artifact.array("adapted_line", ndim=1).tolist()),
                parameters=stored,
            )
        return predictor

    @property
    def _reading(self) -> Reading:
        assert self.reading_ is not None  # noqa: S101 - the learner was asked for
        return self.reading_

    @property
    def _learner(self) -> MetaLearner:
        self.require_fitted("learner_")
        assert self.learner_ is not None  # noqa: S101 - just checked
        return self.learner_

    def _new_learner(self) -> MetaLearner:
        return MetaLearner(
            self._reading.features,
            graph=self._reading.is_graph,
            embedding=len(self._reading.references),
            width=self.width,
            inner_rate=self.inner_rate,
            inner_steps=self.inner_steps,
            modulation=self.modulation,
            divergence_weight=self.divergence_weight,
        )

    def _read(self, data: LatencyDataset, progress: Progress | None) -> tuple[Reading, Progress | None]:
        """How the rows are read, and where the progress of what is left of the training goes."""
        if are_cells(data.queries):
            return CellReading.fit(data), progress
        report = progress or no_progress
        reading = GraphReading.fit(
            data,
            epochs=self.encoder_epochs,
            width=self.encoder_width,
            layers=self.encoder_layers,
            seed=self.seed,
            progress=part_of_progress(report, 0.0, _ENCODING),
        )
        return reading, part_of_progress(report, _ENCODING, 1.0)

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

    def _device(self, measured: Measured) -> _Device:
        """Adapted on the measured rows; by its description alone where there are none."""
        reading, embedding = self._reading, measured.embedding
        line = reading.line_before(self._labels(self._unadapted(embedding, _NO_LINE), measured.networks), measured)
        if len(measured.latency_ms) == 0:
            return self._unadapted(embedding, line)
        noise = np.random.default_rng(self.seed).standard_normal((self.samples, self._learner.modulator.size))
        parameters = self._learner.adapt_samples(
            torch.from_numpy(embedding.astype(np.float32)),
            tuple(torch.from_numpy(array) for array in measured.networks.arrays),
            torch.from_numpy(reading.labels(measured, line).astype(np.float32)),
            torch.from_numpy(noise.astype(np.float32)),
        )
        exact = {name: value.double() for name, value in parameters.items()}
        after = _Device(embedding=embedding, line=line, parameters=exact)
        return replace(after, line=reading.line_after(self._labels(after, measured.networks), measured, line))

    def _unadapted(self, embedding: FloatArray, line: Line) -> _Device:
        hardware = torch.from_numpy(embedding.astype(np.float32))
        with torch.no_grad():
            parameters, _ = self._learner.modulated(hardware, torch.zeros(self._learner.modulator.size))
        exact = {name: value[None].double() for name, value in parameters.items()}
        return _Device(embedding=embedding, line=line, parameters=exact)

    def _mean_device(self) -> _Device:
        embedding = np.mean([device.embedding for device in self.devices_.values()], axis=0)
        line = np.mean([device.line for device in self.devices_.values()], axis=0)
        return self._unadapted(embedding, Line(*line.tolist()))

    def _latency_ms(self, device: _Device, networks: Networks) -> FloatArray:
        return self._reading.latency_ms(self._labels(device, networks), networks.start, device.line)

    def _labels(self, device: _Device, networks: Networks) -> FloatArray:
        hardware, parts = torch.from_numpy(device.embedding), [np.empty(0)]
        for start in range(0, len(networks.start), _CHUNK):
            arrays = [array[start : start + _CHUNK] for array in networks.arrays]
            exact = tuple(torch.from_numpy(array).double() for array in arrays)
            parts.append(self._learner.forecast(device.parameters, hardware, exact).numpy())
        return np.concatenate(parts)
