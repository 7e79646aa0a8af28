"""Training of kernel networks: from kernel timings and whole latencies together.

A kernel's label says what shapes do to its time; a graph's latency says what the sum has to be. Labels are noisy and
skewed, so a sum of typical times falls short of the typical sum: the latencies put that right. Both losses are absolute
differences of logarithms, since a few labels are far off. Targets differ by their own factors of class and tilts, which
are learned beside the network and left out of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from predictors.base import FloatArray, Progress
from predictors.features.kernels import CLASSES
from predictors.kinds.torch_training import Training, seeded, train
from predictors.kinds.universal.graphs.kernel_network import KernelInputs, KernelNetwork

__all__ = ["KernelTrainingSet", "train_network"]

_BATCH = 128
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_FORGOTTEN, _EACH_FORGOTTEN = 0.1, 0.2
"""Shares of graphs whose target's traits are hidden in training, all of them or each for itself: forecasts for traits
that training has not seen are sane, and a runtime's vector says what it can without that of a precision."""

_TARGET_PENALTY = 1e-3
"""On squared target factors: they stay where the roofline's fit has put them unless the data insist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTrainingSet:
    """K kernels of n graphs.

    Args:
        inputs: of the kernels.
        labels: float64 (K,), log time over the roofline's and the target's; NaN where there is none.
        weights: float64 (K,).
        base: float64 (K,), log time of all runs of the kernel, as roofline and target's effects have it.
        log_latency: float64 (n,).
        rows: int64 (K,), ascending: which graph.
        targets: int64 (n,).
        tilts: float64 (K, T).
    """

    inputs: KernelInputs
    labels: FloatArray
    weights: FloatArray
    base: FloatArray
    log_latency: FloatArray
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    tilts: FloatArray


def train_network(
    training_set: KernelTrainingSet,
    graphs: NDArray[np.int64],
    *,
    width: int,
    epochs: int,
    operators: int,
    seed: int,
    progress: Progress | None = None,
) -> KernelNetwork:
    """A network trained on some of the graphs.

    Args:
        training_set: all kernels and graphs.
        graphs: int64 (m,), those to learn from.
        width: units of each hidden layer.
        epochs: passes over the graphs.
        operators: how many the encoding knows.
        seed: of initial weights and of the order of graphs.
        progress: called after each epoch.
    """
    with seeded(seed):
        module = _Module(training_set, width, operators)
    data = _Tensors.of(training_set)
    rng = np.random.default_rng(seed)

    def batches() -> Iterator[NDArray[np.int64]]:
        order = rng.permutation(graphs)
        for start in range(0, len(order), _BATCH):
            yield order[start : start + _BATCH]

    training = Training(
        epochs=epochs, learning_rate=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, schedule="cosine", keep_best=False
    )
    with seeded(seed + 1):
        train(module, batches, lambda picked: module.loss(data, picked), training, progress=progress)
    return module.network()


@dataclass(frozen=True, slots=True)
class _Tensors:
    """The training set in torch, and where each graph's kernels are."""

    numbers: Tensor
    classes: Tensor
    operators: Tensor
    traits: Tensor
    labels: Tensor
    weights: Tensor
    base: Tensor
    log_latency: Tensor
    tilts: Tensor
    targets: Tensor
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, training_set: KernelTrainingSet) -> "_Tensors":
        labelled = np.isfinite(training_set.labels)
        return cls(
            numbers=torch.from_numpy(training_set.inputs.numbers),
            classes=torch.from_numpy(training_set.inputs.classes),
            operators=torch.from_numpy(training_set.inputs.operators),
            traits=torch.from_numpy(training_set.inputs.traits),
            labels=_floats(np.where(labelled, training_set.labels, 0.0)),
            weights=_floats(np.where(labelled, training_set.weights, 0.0)),
            base=_floats(training_set.base),
            log_latency=_floats(training_set.log_latency),
            tilts=_floats(training_set.tilts),
            targets=torch.from_numpy(training_set.targets),
            starts=np.searchsorted(training_set.rows, np.arange(len(training_set.log_latency) + 1)),
        )

    def kernels_of(self, graphs: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """(indices of the graphs' kernels, place of each kernel's graph among `graphs`)."""
        first, counts = self.starts[graphs], self.starts[graphs + 1] - self.starts[graphs]
        place = np.repeat(np.arange(len(graphs)), counts)
        offset = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return torch.from_numpy(first[place] + offset), torch.from_numpy(place)


def _floats(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


class _Module(nn.Module):
    """The network, and the targets' factors beside it."""

    def __init__(self, training_set: KernelTrainingSet, width: int, operators: int) -> None:
        super().__init__()
        self.numbers = nn.Linear(training_set.inputs.numbers.shape[1], width)
        self.classes = nn.Embedding(len(CLASSES), width)
        self.operators = nn.Embedding(operators + 1, width, padding_idx=operators)
        self.traits = nn.Linear(training_set.inputs.traits.shape[1], width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)
        targets = int(training_set.targets.max()) + 1
        self.target_classes = nn.Parameter(torch.zeros(targets, len(CLASSES)))
        self.target_tilts = nn.Parameter(torch.zeros(targets, training_set.tilts.shape[1]))
        self._one_target = targets == 1
        for table in (self.classes, self.operators):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.traits.weight)
        for layer in (self.out.weight, self.out.bias):
            nn.init.zeros_(layer)
        with torch.no_grad():
            self.operators.weight[operators] = 0.0

    def forward(self, data: _Tensors, kernels: Tensor, traits: Tensor, place: Tensor) -> Tensor:
        """Log time over the roofline's."""
        first = self.numbers(data.numbers[kernels])
        first = first + self.classes(data.classes[kernels]) + self.operators(data.operators[kernels])
        first = first + self.traits(traits)[place]
        hidden = nn.functional.silu(self.hidden(nn.functional.silu(first)))
        return torch.as_tensor(self.out(hidden)[:, 0])

    def loss(self, data: _Tensors, graphs: NDArray[np.int64]) -> Tensor:
        """Mean absolute error of kernels' log times, and of graphs' log latencies."""
        kernels, place = data.kernels_of(graphs)
        traits = data.traits[torch.from_numpy(graphs)]
        if self.training:
            traits = traits * (torch.rand(len(traits), 1) > _FORGOTTEN) * (torch.rand(traits.shape) > _EACH_FORGOTTEN)
        forecast = self(data, kernels, traits, place)
        penalty = torch.zeros(())
        if not self._one_target:
            targets = data.targets[torch.from_numpy(graphs)][place]
            forecast = forecast + self.target_classes[targets, data.classes[kernels]]
            forecast = forecast + (self.target_tilts[targets] * data.tilts[kernels]).sum(dim=1)
            penalty = _TARGET_PENALTY * (self.target_classes.square().sum() + self.target_tilts.square().sum())
        weights = data.weights[kernels]
        by_kernel = (weights * (forecast - data.labels[kernels]).abs()).sum() / weights.sum().clamp(min=1e-6)
        totals = torch.zeros(len(graphs)).index_add(0, place, torch.exp(data.base[kernels] + forecast))
        by_graph = (torch.log(totals) - data.log_latency[torch.from_numpy(graphs)]).abs().mean()
        return torch.as_tensor(by_kernel + by_graph + penalty)

    def network(self) -> KernelNetwork:
        """The network alone, as arrays."""
        arrays = {
            "numbers": self.numbers.weight.T,
            "classes": self.classes.weight,
            "operators": self.operators.weight,
            "traits": self.traits.weight.T,
            "bias": self.numbers.bias,
            "hidden": self.hidden.weight.T,
            "hidden_bias": self.hidden.bias,
            "out": self.out.weight[0],
            "out_bias": self.out.bias[0],
        }
        stored = {name: tensor.detach().numpy().astype(np.float16) for name, tensor in arrays.items()}
        return KernelNetwork(**{name: array.astype(np.float32) for name, array in stored.items()})
