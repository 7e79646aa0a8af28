"""BRP-NAS's latency predictor (Dudziak et al., NeurIPS 2020, https://arxiv.org/abs/2007.08668, section 3).

The authors' code: https://github.com/SamsungLabs/eagle.
Their accuracy predictor is in `predictors.kinds.brp_nas.ranker`.
"""

from collections.abc import Sequence
from copy import copy, deepcopy
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import l1_loss

from latcast.schema import Architecture, DeviceEvidence, InputError, MissingEvidenceError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest
from predictors.features.cells import (
    FEATURE_VERSION,
    SPACES,
    brp_graph,
    cell_architectures,
    layer_one_hot,
    space_of,
    trained_share,
)
from predictors.kinds.brp_nas.network import BrpGcn
from predictors.kinds.torch_training import Training, load_parameters, minibatches, seeded, stored_parameters, train

__all__ = ["BrpNasPredictor"]

_CHUNK = 256
_FLOOR = 0.05
"""Smallest forecast, in units of the target's median latency: a regression may go below zero."""


class BrpNasPredictor(Predictor):
    """A graph convolutional network from the cell to the latency.

    Rows of one target are the paper's setting. Departures:

    - The paper has one network for each device. With several targets in the data one network learns the shape they
      have in common, from `training_rows` rows drawn evenly from them, latencies divided by the target's median.
    - `adapt` does to another device what the paper does from latency to accuracy (its section 4.2): the last layer
      starts anew and is warmed up alone, then everything trains on the target's rows.
    - Batches of 16 instead of 1: as many epochs in a tenth of the time.
    - Chains are encoded with each node's position (`predictors.features.cells.brp_graph`).

    Args:
        layers: graph convolutions.
        width: of each.
        dropout: after each.
        epochs: at most.
        warm_up_epochs: of the last layer alone, when adapting.
        learning_rate: at the start; halved when the loss has not fallen for `patience` epochs.
        weight_decay: decoupled.
        patience: of the learning rate.
        stop_after: epochs without improvement.
        batch_size: architectures of a step.
        training_rows: at most, over all targets.
        validation_share: of the rows that is held out to decide when to stop, where no validation data are given.
        seed: of initial weights, choice and order of rows.
    """

    kind: ClassVar[str] = "brp_nas"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"architecture"}), spaces=SPACES, trains_to_adapt=True
    )

    def __init__(
        self,
        *,
        layers: int = 4,
        width: int = 600,
        dropout: float = 0.002,
        epochs: int = 250,
        warm_up_epochs: int = 50,
        learning_rate: float = 4e-4,
        weight_decay: float = 5e-4,
        patience: int = 10,
        stop_after: int = 35,
        batch_size: int = 16,
        training_rows: int = 900,
        validation_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.layers, self.width, self.dropout = layers, width, dropout
        self.epochs, self.warm_up_epochs = epochs, warm_up_epochs
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.patience, self.stop_after = patience, stop_after
        self.batch_size, self.training_rows, self.validation_share = batch_size, training_rows, validation_share
        self.net_: BrpGcn | None = None
        self.adapted_ms_: float | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn the shape of latencies over a search space; `validation` decides when to stop."""
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        self.space_ = space_of(data.queries)
        self.units_ms_ = _units(data)
        self.seen_ = np.asarray(layer_one_hot(cell_architectures(data.queries)).any(axis=0))
        rng = np.random.default_rng(self.seed)
        rows = _evenly(data, self.training_rows, rng)
        held_out = rows[: round(self.validation_share * len(rows))] if validation is None else rows[:0]
        training = self._tensors(data.subset(rows[len(held_out) :]), self.units_ms_)
        check = self._tensors(data.subset(held_out), self.units_ms_) if len(held_out) else None
        if validation is not None:
            check = self._tensors(validation, _units(validation))
        with seeded(self.seed):
            net = self._new_net(training[0].shape[-1])
            self.net_, self.adapted_ms_ = net, None
            self._train(net, training, check, rng=rng, epochs=self.epochs, progress=progress)
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """The paper's transfer: a new last layer, warmed up alone, then all of it."""
        self.require_fitted("net_")
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        adapted = copy(self)
        adapted.adapted_ms_ = float(np.median(support.latency_ms))
        unit = {query.target.id: adapted.adapted_ms_ for query in support.queries}
        rows = self._tensors(support, unit)
        rng = np.random.default_rng(self.seed)
        with seeded(self.seed):
            net = deepcopy(self._net)
            net.head.reset_parameters()
            self._warm_up(net, rows, rng=rng)
            self._train(net, rows, None, rng=rng, epochs=self.epochs)
        adapted.net_ = net
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; before `adapt`, targets of training have their own level, others the geometric mean of these."""
        self.require_fitted("net_")
        if not queries:
            return Prediction(median_ms=np.empty(0))
        shape = self._shape(cell_architectures(queries, self.space_))
        if self.adapted_ms_ is not None:
            return Prediction(median_ms=self.adapted_ms_ * shape)
        usual = float(np.exp(np.log(list(self.units_ms_.values())).mean()))
        units = np.array([self.units_ms_.get(query.target.id, usual) for query in queries])
        return Prediction(median_ms=units * shape)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there."""
        self.require_fitted("net_")
        return trained_share(self.seen_, cell_architectures(queries, self.space_))

    def to_artifact(self) -> Artifact:
        """Parameters and levels."""
        arrays = stored_parameters(self._net, "net.")
        arrays |= {"seen": self.seen_, "units_ms": np.array(list(self.units_ms_.values()))}
        if self.adapted_ms_ is not None:
            arrays["adapted_ms"] = np.array([self.adapted_ms_])
        return self.make_artifact(
            arrays=arrays,
            vocabulary={"space": self.space_, "targets": list(self.units_ms_)},
            feature_version=FEATURE_VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(FEATURE_VERSION)
        predictor.space_, predictor.seen_ = artifact.vocabulary_entry("space"), artifact.array("seen", ndim=1)
        units = artifact.array("units_ms", ndim=1)
        predictor.units_ms_ = {t: float(ms) for t, ms in zip(artifact.vocabulary_entry("targets"), units, strict=True)}
        predictor.adapted_ms_ = float(artifact.array("adapted_ms")[0]) if "adapted_ms" in artifact.arrays else None
        net = predictor._new_net(artifact.array("net.convolutions.0.weight", ndim=2).shape[0])
        load_parameters(net, artifact.arrays, "net.")
        predictor.net_ = net.eval()
        return predictor

    @property
    def _net(self) -> BrpGcn:
        self.require_fitted("net_")
        assert self.net_ is not None  # noqa: S101 - just checked
        return self.net_

    def _new_net(self, features: int) -> BrpGcn:
        return BrpGcn(features, layers=self.layers, width=self.width, dropout=self.dropout)

    def _tensors(self, data: LatencyDataset, units_ms: dict[TargetId, float]) -> tuple[Tensor, ...]:
        """Nodes, adjacency, labels (n,)."""
        arrays = brp_graph(cell_architectures(data.queries, self.space_))
        labels = data.latency_ms / [units_ms[query.target.id] for query in data.queries]
        return (*(torch.from_numpy(array) for array in arrays), torch.from_numpy(labels.astype(np.float32)))

    def _train(
        self,
        net: BrpGcn,
        rows: tuple[Tensor, ...],
        check: tuple[Tensor, ...] | None,
        *,
        rng: np.random.Generator,
        epochs: int,
        progress: Progress | None = None,
    ) -> None:
        def loss(batch: Tensor, of: tuple[Tensor, ...] = rows) -> Tensor:
            nodes, adjacency, labels = (array[batch] for array in of)
            return l1_loss(net(nodes, adjacency).squeeze(-1), labels)

        def score(of: tuple[Tensor, ...]) -> float:
            with torch.no_grad():
                return float(loss(torch.arange(len(of[0])), of))

        train(
            net,
            lambda: minibatches(len(rows[0]), self.batch_size, rng),
            loss,
            self._settings(epochs),
            score=None if check is None else lambda: score(check),
            progress=progress,
        )

    def _warm_up(self, net: BrpGcn, rows: tuple[Tensor, ...], *, rng: np.random.Generator) -> None:
        """Train the last layer alone, on embeddings that do not change meanwhile; there is no dropout in them."""
        nodes, adjacency, labels = rows
        with torch.no_grad():
            embedded = net.eval().embed(nodes, adjacency)
        train(
            net.head,
            lambda: minibatches(len(labels), self.batch_size, rng),
            lambda batch: l1_loss(net.head(embedded[batch]).squeeze(-1), labels[batch]),
            self._settings(self.warm_up_epochs),
        )

    def _settings(self, epochs: int) -> Training:
        return Training(
            epochs=epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="plateau",
            patience=self.patience,
            stop_after=self.stop_after,
        )

    def _shape(self, architectures: Sequence[Architecture]) -> FloatArray:
        """Latencies in units of the target's median, float64 (n,)."""
        net, parts = deepcopy(self._net).double(), list[FloatArray]()
        for start in range(0, len(architectures), _CHUNK):
            arrays = brp_graph(architectures[start : start + _CHUNK])
            with torch.no_grad():
                forecast = net(*(torch.from_numpy(array).double() for array in arrays))
            parts.append(forecast.squeeze(-1).numpy())
        return np.maximum(np.concatenate(parts), _FLOOR)


def _units(data: LatencyDataset) -> dict[TargetId, float]:
    return {target: float(np.median(data.latency_ms[rows])) for target, rows in data.targets().items()}


def _evenly(data: LatencyDataset, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `count` rows at random, as many of each target as there are of the others, in random order."""
    groups = [rng.permutation(np.array(rows)) for rows in data.targets().values()]
    share = -(-count // len(groups))
    rows = rng.permutation(np.concatenate([group[:share] for group in groups]))
    return np.asarray(rows[:count], dtype=np.intp)
