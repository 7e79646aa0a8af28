"""Ranking architectures by any metric – latency, accuracy – without forecasting it.

`relation` is BRP-NAS's binary relation (Dudziak et al., NeurIPS 2020, https://arxiv.org/abs/2007.08668, section 4);
`hinge` the pairwise hinge loss of NASFLAT (Akhauri and Abdelfattah, AutoML 2024, https://arxiv.org/abs/2403.02446);
`diff_kendall` a differentiable Kendall's τ (Zheng et al., DiffKendall, NeurIPS 2023, https://arxiv.org/abs/2307.15317).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cmp_to_key
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from latcast.schema import InputError, NotFittedError
from latcast.schema.counting import counted
from predictors.artifact import Artifact, library_versions
from predictors.base import FloatArray, Progress, Query
from predictors.features.cells import FEATURE_VERSION, brp_graph, cell_architectures, space_of
from predictors.kinds.brp_nas.network import BinaryRelation, BrpGcn
from predictors.kinds.torch_training import Training, load_parameters, minibatches, seeded, stored_parameters, train

__all__ = ["LOSSES", "Ranker", "diff_kendall_loss", "hinge_loss", "relation_loss", "select_next"]

_CHUNK = 256


def relation_loss(log_probabilities: Tensor, values: Tensor) -> Tensor:
    """KL divergence from softmax of each pair's values to the forecast relation.

    Args:
        log_probabilities: (m, 2).
        values: (m, 2), of the first and the second of each pair, larger is better.
    """
    return nn.functional.kl_div(log_probabilities, torch.softmax(values, dim=-1), reduction="batchmean")


def hinge_loss(scores: Tensor, values: Tensor, *, margin: float = 0.1) -> Tensor:
    """Mean over all pairs of how far the better one's score (n,) fails to exceed the other's by `margin`."""
    better = values[:, None] > values[None, :]
    gaps = scores[:, None] - scores[None, :]
    return torch.relu(margin - gaps)[better].sum() / better.sum().clamp(min=1)


def diff_kendall_loss(scores: Tensor, values: Tensor, *, steepness: float = 0.5) -> Tensor:
    """1 − Kendall's τ with tanh in place of the sign of the scores' differences; scores and values are (n,)."""
    order = torch.sign(values[:, None] - values[None, :])
    agreement = torch.tanh(steepness * (scores[:, None] - scores[None, :])) * order
    return 1 - agreement.sum() / order.abs().sum().clamp(min=1)


_SCORE_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hinge": hinge_loss,
    "diff_kendall": diff_kendall_loss,
}

LOSSES = ("relation", *_SCORE_LOSSES)


class Ranker:
    """A graph convolutional network that orders architectures of one search space.

    The settings are those of BRP-NAS's accuracy predictor. Departures: values are scaled to 0–1 over the training
    rows, as the authors' code can do; chains are encoded with each node's position.

    Args:
        loss: one of `LOSSES`. `relation` compares pairs and learns from all ordered pairs of the rows; the others
            score each architecture and learn from all pairs within a batch.
        layers: graph convolutions.
        width: of each.
        dropout: after each.
        epochs: at most; the learning rate falls to zero over them by a cosine.
        learning_rate: at the start.
        weight_decay: decoupled.
        stop_after: epochs without improvement.
        batch_size: pairs, or architectures, of a step.
        seed: of initial weights and order of rows.
    """

    kind = "ranker"

    def __init__(
        self,
        *,
        loss: str = "relation",
        layers: int = 4,
        width: int = 600,
        dropout: float = 0.2,
        epochs: int = 250,
        learning_rate: float = 3.5e-4,
        weight_decay: float = 5e-4,
        stop_after: int = 35,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        if loss not in LOSSES:
            raise InputError(f"loss is one of {', '.join(LOSSES)}, not {loss!r}.")
        self.loss, self.layers, self.width, self.dropout = loss, layers, width, dropout
        self.epochs, self.learning_rate, self.weight_decay = epochs, learning_rate, weight_decay
        self.stop_after, self.batch_size, self.seed = stop_after, batch_size, seed
        self.net_: BrpGcn | BinaryRelation | None = None

    def fit(self, queries: Sequence[Query], values: ArrayLike, *, progress: Progress | None = None) -> Self:
        """Learn an order.

        Args:
            queries: n architectures of one space, two or more.
            values: (n,), finite; larger is better, so give negative latencies to rank the fastest first.
            progress: called after each epoch.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.shape != (len(queries),) or len(queries) < 2 or not np.isfinite(numbers).all():
            raise InputError(f"Ranking needs a finite value for each of two or more queries, not {numbers.shape}.")
        span = float(np.ptp(numbers)) or 1.0
        labels = torch.from_numpy(((numbers - numbers.min()) / span).astype(np.float32))
        self.space_ = space_of(queries)
        nodes, adjacency = (torch.from_numpy(a) for a in brp_graph(cell_architectures(queries)))
        rng = np.random.default_rng(self.seed)
        with seeded(self.seed):
            self.net_ = self._new_net(nodes.shape[-1])
            train(
                self.net_,
                lambda: self._batches(len(queries), rng),
                self._objective(self.net_, nodes, adjacency, labels),
                Training(
                    epochs=self.epochs,
                    learning_rate=self.learning_rate,
                    weight_decay=self.weight_decay,
                    schedule="cosine",
                    stop_after=self.stop_after,
                ),
                progress=progress,
            )
        return self

    def rank(self, queries: Sequence[Query]) -> list[int]:
        """Indices of the queries, the best first: by a comparator sort where pairs were learned, else by score."""
        sides = self._outputs(queries)
        if self.loss != "relation":
            return [int(index) for index in np.argsort(-sides[:, 0], kind="stable")]
        return sorted(range(len(queries)), key=cmp_to_key(_comparator(sides)))

    def select(self, queries: Sequence[Query], count: int) -> list[int]:
        """The best `count` of the queries, best first."""
        return self.rank(queries)[:count]

    def to_artifact(self) -> Artifact:
        """All that `from_artifact` needs."""
        names = (
            "loss",
            "layers",
            "width",
            "dropout",
            "epochs",
            "learning_rate",
            "weight_decay",
            "stop_after",
            "batch_size",
        )
        return Artifact(
            kind=self.kind,
            seed=self.seed,
            hyperparameters={name: getattr(self, name) for name in names},
            arrays=stored_parameters(self._net, "net."),
            vocabulary={"space": self.space_},
            feature_version=FEATURE_VERSION,
            library_versions=library_versions(),
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The ranker that `to_artifact` described."""
        artifact.require_kind(cls.kind)
        artifact.require_features(FEATURE_VERSION)
        hyperparameters: dict[str, Any] = dict(artifact.hyperparameters)
        ranker = cls(seed=artifact.seed, **hyperparameters)
        ranker.space_ = artifact.vocabulary_entry("space")
        prefix = "net.cell." if ranker.loss == "relation" else "net."
        net = ranker._new_net(artifact.array(f"{prefix}convolutions.0.weight", ndim=2).shape[0])
        load_parameters(net, artifact.arrays, "net.")
        ranker.net_ = net
        net.eval()
        return ranker

    @property
    def _net(self) -> BrpGcn | BinaryRelation:
        if self.net_ is None:
            raise NotFittedError("The ranker is not fitted: call fit(), or load an artifact.")
        return self.net_

    def _new_net(self, features: int) -> BrpGcn | BinaryRelation:
        if self.loss == "relation":
            return BinaryRelation(features, layers=self.layers, width=self.width, dropout=self.dropout)
        return BrpGcn(features, layers=self.layers, width=self.width, dropout=self.dropout)

    def _batches(self, rows: int, rng: np.random.Generator) -> Iterator[Tensor]:
        """Rows, or ordered pairs of different rows numbered from 0 to rows · (rows − 1)."""
        yield from minibatches(rows * (rows - 1) if self.loss == "relation" else rows, self.batch_size, rng)

    def _objective(
        self, net: BrpGcn | BinaryRelation, nodes: Tensor, adjacency: Tensor, labels: Tensor
    ) -> Callable[[Tensor], Tensor]:
        def of_scores(rows: Tensor) -> Tensor:
            return _SCORE_LOSSES[self.loss](net(nodes[rows], adjacency[rows]).squeeze(-1), labels[rows])

        def of_pairs(pairs: Tensor) -> Tensor:
            assert isinstance(net, BinaryRelation)  # noqa: S101 - the loss says so
            first = pairs // (len(labels) - 1)
            second = pairs % (len(labels) - 1)
            second = second + (second >= first)
            # Each architecture of the batch is embedded once, however many pairs it is in.
            rows, places = torch.unique(torch.cat([first, second]), return_inverse=True)
            sides = net.sides(nodes[rows], adjacency[rows])[places]
            forecast = net(sides[: len(pairs)], sides[len(pairs) :])
            return relation_loss(forecast, torch.stack([labels[first], labels[second]], dim=-1))

        return of_pairs if self.loss == "relation" else of_scores

    def _outputs(self, queries: Sequence[Query]) -> FloatArray:
        """What the network says of each query, float64 (n, …)."""
        net = deepcopy(self._net).double()
        read = net.sides if isinstance(net, BinaryRelation) else net.forward
        architectures, parts = cell_architectures(queries, self.space_), list[FloatArray]()
        for start in range(0, len(architectures), _CHUNK):
            nodes, adjacency = brp_graph(architectures[start : start + _CHUNK])
            with torch.no_grad():
                parts.append(read(torch.from_numpy(nodes).double(), torch.from_numpy(adjacency).double()).numpy())
        return np.concatenate(parts) if parts else np.empty((0, 1))


def select_next(
    ranker: Ranker,
    candidates: Sequence[Query],
    *,
    round_number: int,
    best: int = 10,
    exploring: int = 10,
    seed: int = 0,
) -> list[int]:
    """BRP-NAS's iterative data selection (its section 4.3): what to measure in the next round.

    Args:
        ranker: fitted on what was measured so far.
        candidates: not measured yet.
        round_number: 1 for the first round after the random start.
        best: how many of the highest ranked.
        exploring: how many at random from the best 1/2^round_number of the candidates.
        seed: of the random ones.

    Returns:
        Indices of the candidates, without repetition.
    """
    order = ranker.rank(candidates)
    if len(order) < best + exploring:
        raise InputError(
            f"{counted(best + exploring, 'candidate is', 'candidates are')} wanted, but there are {len(order)}."
        )
    pool = order[best : max(best + exploring, len(order) // 2**round_number)]
    chosen = np.random.default_rng([seed, round_number]).choice(len(pool), size=exploring, replace=False)
    return [*order[:best], *(pool[int(index)] for index in chosen)]


def _comparator(sides: NDArray[np.float64]) -> Callable[[int, int], int]:
    """Negative where the first is the better, from contributions (n, 2 sides, 2 logits)."""
    lead = sides[:, :, 0] - sides[:, :, 1]  # (n, 2): how much each side speaks for the first

    def compare(first: int, second: int) -> int:
        return -int(np.sign(lead[first, 0] + lead[second, 1]))

    return compare
