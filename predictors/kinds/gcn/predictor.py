"""A graph network over any ONNX graph, by torch-geometric: log latency with its own variance.

After BRP-NAS (https://arxiv.org/abs/2007.08668), NNLQP (ICPP 2022) and GENNAPE (https://arxiv.org/abs/2211.17226),
whose layers and node features are choices here. Targets differ by a level and a slope, learned with shrinkage.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latcast.schema import DeviceEvidence, InputError, MissingEvidenceError, Target
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest, group_folds, row_keys
from predictors.features.coverage import OperatorRanges
from predictors.inference.linear_effects import LinearEffects
from predictors.kinds.gcn.arrays import FEATURE_VERSION, GraphArrays, operator_of
from predictors.kinds.gcn.network import GraphNet, batch_of
from predictors.kinds.torch_training import Training, load_parameters, minibatches, seeded, stored_parameters, train

__all__ = ["GcnPredictor"]

MIN_NETWORKS = 10
SCALE = (2.0, 0.1)
"""How much level and slope differ between targets, as guessed before any is seen."""
WIDTHS = (0.5, 3.0)
"""How much narrower or wider than usual the network's own variance may make an interval."""
DIGITS = 6
"""Decimals of the labels: the same data in another unit of time train the same network."""
NODES_OF_BATCH = 20_000
"""Nodes that are forecast at a time; a larger graph is a batch of its own."""


class GcnPredictor(Predictor):
    """Mean over the networks of a cross-validation, then a level and a slope of each target's own.

    A network reads nodes (operator, attributes, shapes, types, work), the tensors between them, and the sizes of the
    whole graph, and gives a mean and a variance, by Gaussian likelihood. Forecasts of rows that a fold's network was
    not trained on teach the targets' levels and slopes and calibrate the intervals, which widen where the network's
    own variance, or the share of operators and sizes that training lacks (`coverage`), is larger than usual.

    Args:
        residual: `roofline`: the network learns what the graph's cost under a typical roofline leaves; `none`: all.
        convolution: `sage` (NNLQP), `gcn` (BRP-NAS), or `gine`, which reads the tensors' sizes.
        layers: rounds of messages.
        width: features of a node.
        epochs: passes over the rows.
        learning_rate: at the start; falls to zero as a cosine.
        weight_decay: decoupled.
        batch_size: graphs of a step.
        folds: networks, each trained without its part of the graphs.
        seed: of folds, initial weights and order of rows.
    """

    kind: ClassVar[str] = "gcn"
    capabilities: ClassVar[Capabilities] = Capabilities(
        inputs=frozenset({"graph"}), uncertainty=True, features=frozenset({"record", "costs"})
    )

    def __init__(
        self,
        *,
        residual: str = "roofline",
        convolution: str = "sage",
        layers: int = 3,
        width: int = 64,
        epochs: int = 40,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        batch_size: int = 32,
        folds: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        if residual not in {"roofline", "none"}:
            raise InputError(f"residual is 'roofline' or 'none', not {residual!r}.")
        if min(layers, width, epochs, batch_size) < 1 or folds < 2 or learning_rate <= 0:
            raise InputError("gcn takes layers, width, epochs and batch_size ≥ 1, folds ≥ 2, and learning_rate > 0.")
        self.residual, self.convolution, self.layers, self.width = residual, convolution, layers, width
        self.epochs, self.learning_rate, self.weight_decay = epochs, learning_rate, weight_decay
        self.batch_size, self.folds = batch_size, folds
        self.effects_: LinearEffects | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from graphs of one or many targets; `validation` adds to the rows that calibrate the intervals."""
        keys = row_keys(data)
        if len(set(keys)) < MIN_NETWORKS:
            raise InputError(f"gcn takes at least {MIN_NETWORKS} different networks, not {len(set(keys))}.")
        graphs = {key: query.graph for key, query in zip(keys, data.queries, strict=True)}
        operators = sorted({operator_of(node) for graph in graphs.values() for node in graph.nodes})
        self.vocabulary_ = {name: place for place, name in enumerate(operators, 1)}
        self.ranges_ = OperatorRanges.of({k: q.network for k, q in zip(keys, data.queries, strict=True)}.values())
        arrays = {key: GraphArrays.of(graph, self.vocabulary_) for key, graph in graphs.items()}
        rows = [arrays[key] for key in keys]
        self._standardise(list(arrays.values()))
        y, targets = np.log(data.latency_ms), [query.target.id for query in data.queries]
        labels = self._labels(rows, y, targets)
        mean, variance = self._fit_members(rows, labels, keys, progress)
        self.usual_variance_ = float(np.median(variance))
        forecast = mean + self._base(rows)
        self.centre_ = float(forecast.mean())
        self.unseen_std_ = float(labels.std())
        effects = self._calibrated(self._design(forecast), y, targets, keys, self._widths(variance))
        self.effects_ = effects if validation is None else self._recalibrated(effects, validation)
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Level and slope of the target by Bayesian update; the networks stay."""
        effects = self._learned()
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        adapted = copy(self)
        design = self._design(self._forecast(support.queries)[0])
        adapted.effects_ = effects.adapted(design, np.log(support.latency_ms), target.id)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target without measurements gets the average over targets, with their spread as variance."""
        effects = self._learned()
        if not queries:
            return Prediction(median_ms=np.empty(0), log_std=np.empty(0))
        forecast, variance = self._forecast(queries)
        unseen = (1 - self.coverage(queries)) * self.unseen_std_
        prediction = effects.predict(self._design(forecast), [query.target.id for query in queries])
        assert prediction.log_std is not None  # noqa: S101 - linear effects always claim it
        return replace(prediction, log_std=np.hypot(prediction.log_std * self._widths(variance), unseen))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's cost in operators and sizes of training, float64 (n,)."""
        self._learned()
        return self.ranges_.shares([query.network for query in queries])

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Operators of the graph that training has not seen, with their domain where it is not ONNX's, sorted."""
        self._learned()
        unknown = {operator_of(node) for node in query.graph.nodes} - set(self.vocabulary_)
        return tuple(sorted(name.removeprefix("::") for name in unknown))

    def embeddings(self, queries: Sequence[Query]) -> tuple[FloatArray, FloatArray]:
        """Graphs as the networks see them: for others to learn from.

        Returns:
            The nodes' features, weighed by their times and alike, of all networks side by side, float64
            (n, folds · 2 · width), and the mean forecast of log latency but for a target's level, float64 (n,).
        """
        self._learned()
        graphs = [GraphArrays.of(query.graph, self.vocabulary_) for query in queries]
        scaled = [self._scaled(graph) for graph in graphs]
        embedded = [_embeddings(member, scaled) for member in self.members_]
        forecast = np.mean([mean for _, mean in embedded], axis=0)
        return np.concatenate([each for each, _ in embedded], axis=1), forecast + self._base(graphs)

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency: for samplers."""
        return self._learned().features(self._design(self._forecast(queries)[0]))

    def to_artifact(self) -> Artifact:
        """The networks' parameters, how features are scaled, and the targets' levels and slopes."""
        effects = self._learned()
        arrays: dict[str, Any] = {f"scale.{name}": array for name, array in self.scales_.items()}
        for place, member in enumerate(self.members_):
            arrays |= {name: array.astype(np.float32) for name, array in stored_parameters(member, f"{place}.").items()}
        arrays["levels"] = np.array([self.centre_, self.usual_variance_, self.unseen_std_])
        return self.make_artifact(
            arrays=arrays | effects.to_arrays(),
            vocabulary={
                "operators": list(self.vocabulary_),
                "ranges": self.ranges_.to_vocabulary(),
                "targets": effects.target_names(),
                "members": len(self.members_),
            },
            feature_version=FEATURE_VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(FEATURE_VERSION)
        names = artifact.vocabulary_entry("operators")
        predictor.vocabulary_ = {name: place for place, name in enumerate(names, 1)}
        predictor.ranges_ = OperatorRanges.from_vocabulary(artifact.vocabulary_entry("ranges"))
        predictor.scales_ = {name: artifact.array(f"scale.{name}", ndim=2) for name in ("nodes", "edges", "whole")}
        levels = artifact.array("levels", ndim=1)
        predictor.centre_, predictor.usual_variance_, predictor.unseen_std_ = (float(value) for value in levels)
        predictor.members_ = []
        for place in range(int(artifact.vocabulary_entry("members"))):
            member = predictor._new_net()
            load_parameters(member, artifact.arrays, f"{place}.")
            predictor.members_.append(member.double().eval())
        predictor.effects_ = LinearEffects.from_artifact(artifact, artifact.vocabulary_entry("targets"))
        return predictor

    def _new_net(self) -> GraphNet:
        return GraphNet(len(self.vocabulary_) + 1, layers=self.layers, width=self.width, convolution=self.convolution)

    def _standardise(self, graphs: Sequence[GraphArrays]) -> None:
        """Mean and spread of each kind of feature over training."""
        parts = {
            "nodes": [g.nodes for g in graphs],
            "edges": [g.edges for g in graphs],
            "whole": [g.whole[None] for g in graphs],
        }
        self.scales_: Mapping[str, FloatArray] = {name: _scale(np.concatenate(each)) for name, each in parts.items()}

    def _scaled(self, graph: GraphArrays) -> GraphArrays:
        def scaled(name: str, values: FloatArray) -> FloatArray:
            centre, spread = self.scales_[name]
            return np.asarray((values - centre) / spread)

        return GraphArrays(
            operators=graph.operators,
            nodes=scaled("nodes", graph.nodes),
            sources=graph.sources,
            sinks=graph.sinks,
            edges=scaled("edges", graph.edges),
            share=graph.share,
            whole=scaled("whole", graph.whole),
        )

    def _base(self, graphs: Sequence[GraphArrays]) -> FloatArray:
        """What the network's output is added to, float64 (n,)."""
        if self.residual == "none":
            return np.zeros(len(graphs))
        return np.array([graph.whole[0] for graph in graphs])

    def _labels(self, graphs: Sequence[GraphArrays], y: FloatArray, targets: Sequence[str]) -> FloatArray:
        """What the networks learn: log latency without the base, and without each target's level."""
        left, names = y - self._base(graphs), np.asarray(targets)
        for name in set(targets):
            left[names == name] -= np.median(left[names == name])
        return np.round(left, DIGITS)

    def _fit_members(
        self, graphs: Sequence[GraphArrays], labels: FloatArray, keys: Sequence[str], progress: Progress | None
    ) -> tuple[FloatArray, FloatArray]:
        """Train every fold's network; mean and variance of each row by the one that was not trained on it."""
        scaled = [self._scaled(graph) for graph in graphs]
        mean, variance = np.empty(len(labels)), np.empty(len(labels))
        self.members_: list[GraphNet] = []
        for fold, (inner, outer) in enumerate(group_folds(keys, self.folds, seed=self.seed)):
            part = None if progress is None else _within(progress, fold, self.folds)
            member = self._trained([scaled[row] for row in inner], labels[inner], fold, part)
            self.members_.append(member)
            mean[outer], variance[outer] = _outputs(member, [scaled[row] for row in outer])
        return mean, variance

    def _trained(
        self, graphs: Sequence[GraphArrays], labels: FloatArray, fold: int, progress: Progress | None
    ) -> GraphNet:
        y, rng = torch.from_numpy(labels.astype(np.float32)), np.random.default_rng([self.seed, fold])

        def loss(rows: Tensor) -> Tensor:
            mean, log_variance = net(batch_of([graphs[row] for row in rows.tolist()], torch.float32))
            return 0.5 * torch.mean(log_variance + (y[rows] - mean) ** 2 / log_variance.exp())

        with seeded(self.seed * self.folds + fold):
            net = self._new_net()
            training = Training(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="cosine",
                keep_best=False,
            )
            train(net, lambda: minibatches(len(y), self.batch_size, rng), loss, training, progress=progress)
        return net.double().eval()

    def _forecast(self, queries: Sequence[Query]) -> tuple[FloatArray, FloatArray]:
        """Mean over the networks with the base, and their variance, each float64 (n,)."""
        graphs = [GraphArrays.of(query.graph, self.vocabulary_) for query in queries]
        scaled = [self._scaled(graph) for graph in graphs]
        outputs = [_outputs(member, scaled) for member in self.members_]
        mean = np.mean([mean for mean, _ in outputs], axis=0)
        return mean + self._base(graphs), np.mean([variance for _, variance in outputs], axis=0)

    def _widths(self, variance: FloatArray) -> FloatArray:
        """How much wider than usual the intervals of rows are, by the networks' own variance: float64 (n,)."""
        return np.clip(np.sqrt(variance / self.usual_variance_), *WIDTHS)

    def _calibrated(
        self, x: FloatArray, y: FloatArray, targets: Sequence[str], keys: Sequence[str], widths: FloatArray
    ) -> LinearEffects:
        """Levels and slopes, and intervals by scores of rows that are held out of these, too."""
        scores = [np.empty(0)]
        for inner, outer in group_folds(keys, self.folds, seed=self.seed):
            effects = LinearEffects.fit(x[inner], y[inner], [targets[row] for row in inner], scale=SCALE)
            found = effects.scored(x[outer], y[outer], [targets[row] for row in outer])
            scores.append(found / widths[outer])
        return LinearEffects.fit(x, y, targets, scale=SCALE).calibrated(np.concatenate(scores))

    def _design(self, forecast: FloatArray) -> FloatArray:
        return np.column_stack([np.ones(len(forecast)), forecast - self.centre_])

    def _recalibrated(self, effects: LinearEffects, validation: LatencyDataset) -> LinearEffects:
        forecast, variance = self._forecast(validation.queries)
        targets = [query.target.id for query in validation.queries]
        scores = effects.scored(self._design(forecast), np.log(validation.latency_ms), targets)
        return effects.calibrated(scores / self._widths(variance))

    def _learned(self) -> LinearEffects:
        self.require_fitted("effects_")
        assert self.effects_ is not None  # noqa: S101 - just checked
        return self.effects_


def _scale(values: NDArray[np.float64]) -> FloatArray:
    """Mean and spread of each column, (2, d); the spread of a column that is always the same is 1."""
    if len(values) == 0:
        return np.stack([np.zeros(values.shape[1]), np.ones(values.shape[1])])
    spread = values.std(axis=0)
    return np.stack([values.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)])


def _outputs(net: GraphNet, graphs: Sequence[GraphArrays]) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each graph, float64 (n,), in batches that fit into memory."""
    parts = []
    for some in _batches(graphs):
        with torch.no_grad():
            mean, log_variance = net(batch_of(some, torch.float64))
        parts.append((mean.numpy(), log_variance.exp().numpy()))
    means, variances = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(variances)


def _embeddings(net: GraphNet, graphs: Sequence[GraphArrays]) -> tuple[FloatArray, FloatArray]:
    """The features of each graph's nodes, pooled, float64 (n, 2 · width), and the graph's mean, float64 (n,)."""
    parts = []
    for some in _batches(graphs):
        with torch.no_grad():
            embedding, mean = net.embed(batch_of(some, torch.float64))
            parts.append((embedding.numpy(), mean.numpy()))
    embeddings, means = zip(*parts, strict=True)
    return np.concatenate(embeddings), np.concatenate(means)


def _batches(graphs: Sequence[GraphArrays]) -> Iterator[Sequence[GraphArrays]]:
    start = nodes = 0
    for place, graph in enumerate(graphs):
        size = len(graph.operators)
        if place > start and nodes + size > NODES_OF_BATCH:
            yield graphs[start:place]
            start, nodes = place, 0
        nodes += size
    yield graphs[start:]


def _within(progress: Progress, fold: int, folds: int) -> Progress:
    return lambda share, what: progress((fold + share) / folds, f"network {fold + 1} of {folds}, {what}")
