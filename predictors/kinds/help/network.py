"""HELP's networks (Lee et al., NeurIPS 2021, https://arxiv.org/abs/2106.08630, section 3 and appendix).

`HelpNet` regresses normalised latency on an architecture and a hardware embedding; `Modulator` turns the embedding into
a distribution over how its last three layers are modulated for one device; `MetaLearner` holds both and the learned
inner rates, and adapts to devices.
"""

from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import mse_loss, relu, softplus

from predictors.kinds.graph_convolution import GraphConvolution

__all__ = ["Arrays", "Episode", "HelpNet", "MetaLearner", "Modulator", "Parameters"]

Arrays = tuple[Tensor, ...]
Parameters = dict[str, Tensor]


class Episode(NamedTuple):
    """Tasks of t devices.

    Args:
        hardware: embeddings (t, r).
        support: arrays (t, k, …).
        support_y: normalised latencies (t, k).
        query: arrays (t, q, …).
        query_y: (t, q).
        noise: standard normal (t, size of z).
    """

    hardware: Tensor
    support: Arrays
    support_y: Tensor
    query: Arrays
    query_y: Tensor
    noise: Tensor


class HelpNet(nn.Module):
    """Graph convolutions (or an MLP) beside a hardware branch, joined by an MLP.

    Args:
        features: of each node, or of the flat vector.
        graph: whether architectures are graphs (four graph convolutions, read at the last node) or flat vectors
            (two linear layers).
        embedding: size of the hardware embedding, the number of reference architectures.
        width: of the layers; the joint part is twice as wide.
    """

    modulated = ("joint1", "joint2", "joint3")

    def __init__(self, features: int, *, graph: bool, embedding: int = 10, width: int = 100) -> None:
        super().__init__()
        self.graph = graph
        if graph:
            sizes = [features] + [width] * 4
            self.cell = nn.ModuleList([GraphConvolution(a, b, weight_bound=0.05) for a, b in pairwise(sizes)])
        else:
            self.cell = nn.ModuleList([nn.Linear(features, width), nn.Linear(width, width)])
        self.hardware1 = nn.Linear(embedding, width)
        self.hardware2 = nn.Linear(width, width)
        self.joint1 = nn.Linear(2 * width, 2 * width)
        self.joint2 = nn.Linear(2 * width, 2 * width)
        self.joint3 = nn.Linear(2 * width, 1)

    def forward(self, arrays: Arrays, hardware: Tensor) -> Tensor:
        """Normalised latency, (n,).

        Args:
            arrays: nodes (n, v, features) and adjacency (n, v, v), or one flat array (n, features).
            hardware: (embedding,).
        """
        x = self._encode(arrays)  # (n, width)
        device = relu(self.hardware2(relu(self.hardware1(hardware))))  # (width,)
        x = torch.cat([x, device.expand(len(x), -1)], dim=-1)  # (n, 2 width)
        x = relu(self.joint1(x))  # (n, 2 width)
        x = relu(self.joint2(x))  # (n, 2 width)
        out: Tensor = self.joint3(x)  # (n, 1)
        return out.squeeze(-1)

    def _encode(self, arrays: Arrays) -> Tensor:
        if self.graph:
            x, adjacency = arrays
            for layer in self.cell:
                x = relu(layer(x, adjacency))  # (n, v, width)
            return x[:, -1]  # the global node: (n, width)
        (x,) = arrays
        for layer in self.cell:
            x = relu(layer(x))  # (n, width)
        return x


class Modulator(nn.Module):
    """q(z | hardware embedding): a diagonal Gaussian over scales of weights and offsets of biases.

    Args:
        embedding: size of the hardware embedding.
        width: of `HelpNet`.

    Attributes:
        size: of z: for each of the three modulated layers a factor for every input (2 · width) and an offset.
    """

    def __init__(self, *, embedding: int = 10, width: int = 100) -> None:
        super().__init__()
        self.width, self.size = width, 3 * (2 * width + 1)
        self.encoder = nn.Sequential(nn.Linear(embedding, 10), nn.ReLU(), nn.Linear(10, 2 * self.size))

    def forward(self, hardware: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of z, each (size,), from an embedding (embedding,)."""
        mean, raw = self.encoder(hardware).chunk(2, dim=-1)
        return mean, softplus(raw)

    def divergence(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """KL(q(z) ‖ standard normal), a scalar."""
        return (0.5 * (deviation**2 + mean**2 - 1) - deviation.log()).sum()

    def apply_to(self, parameters: Mapping[str, Tensor], z: Tensor, *, scale: float) -> Parameters:
        """Parameters of `HelpNet` with its last three layers modulated: w · (1 + scale z) and b + scale z."""
        weights, biases = z[:-3], z[-3:]
        per_layer = weights.view(3, 2 * self.width)  # one factor for each input of a layer
        changed = dict(parameters)
        for index, layer in enumerate(HelpNet.modulated):
            changed[f"{layer}.weight"] = parameters[f"{layer}.weight"] * (1 + scale * per_layer[index])
            changed[f"{layer}.bias"] = parameters[f"{layer}.bias"] + scale * biases[index]
        return changed


class MetaLearner(nn.Module):
    """Initial parameters, inner rates of each of them (Meta-SGD) and the modulator.

    Args:
        features: see `HelpNet`.
        graph: see `HelpNet`.
        embedding: size of the hardware embedding.
        width: of the layers.
        inner_rate: what each learned rate starts from.
        inner_steps: gradient steps of an adaptation.
        modulation: see `Modulator.apply_to`.
        divergence_weight: of the KL term.
    """

    def __init__(
        self,
        features: int,
        *,
        graph: bool,
        embedding: int,
        width: int,
        inner_rate: float,
        inner_steps: int,
        modulation: float,
        divergence_weight: float,
    ) -> None:
        super().__init__()
        self.net = HelpNet(features, graph=graph, embedding=embedding, width=width)
        self.modulator = Modulator(embedding=embedding, width=width)
        self.rates = nn.ParameterList([torch.full_like(value, inner_rate) for value in self.net.parameters()])
        self.inner_steps, self.modulation, self.divergence_weight = inner_steps, modulation, divergence_weight

    def modulated(self, hardware: Tensor, noise: Tensor) -> tuple[Parameters, Tensor]:
        """(parameters for a device, KL), for one sample of standard normal noise (size,)."""
        mean, deviation = self.modulator(hardware)
        z = mean + deviation * noise
        initial = dict(self.net.named_parameters())
        changed = self.modulator.apply_to(initial, z, scale=self.modulation)
        return changed, self.modulator.divergence(mean, deviation)

    def adapted(self, parameters: Parameters, hardware: Tensor, arrays: Arrays, labels: Tensor) -> Parameters:
        """Parameters after the inner steps on labels (k,)."""
        rates = dict(zip(parameters, self.rates, strict=True))
        for _ in range(self.inner_steps):
            gradients = grad(self._loss)(parameters, hardware, arrays, labels)
            parameters = {name: value - rates[name] * gradients[name] for name, value in parameters.items()}
        return parameters

    def episode_loss(self, episode: Episode) -> Tensor:
        """Mean squared error of the queries after adapting to the supports, plus the weighted divergences."""
        losses, divergences = vmap(self._task_loss)(episode)
        return torch.mean(losses) + self.divergence_weight * torch.sum(divergences)

    def adapt_samples(self, hardware: Tensor, arrays: Arrays, labels: Tensor, noise: Tensor) -> Parameters:
        """Adapted parameters for each of s samples of noise (s, size), stacked in front. Thread-safe."""
        learner = deepcopy(self)

        def one(sample: Tensor) -> Parameters:
            parameters, _ = learner.modulated(hardware, sample)
            return learner.adapted(parameters, hardware, arrays, labels)

        stacked: Parameters = vmap(one)(noise)
        return {name: value.detach() for name, value in stacked.items()}

    @torch.no_grad()
    def forecast(self, stacked: Parameters, hardware: Tensor, arrays: Arrays) -> Tensor:
        """Mean normalised latency over samples of parameters, (n,). Safe to call from many threads."""
        net = deepcopy(self.net)  # functional_call puts parameters into the module for the time of the call
        samples = [
            {name: value[i] for name, value in stacked.items()} for i in range(len(next(iter(stacked.values()))))
        ]
        return torch.stack([functional_call(net, sample, (arrays, hardware)) for sample in samples]).mean(dim=0)

    def _task_loss(self, task: Episode) -> tuple[Tensor, Tensor]:
        parameters, divergence = self.modulated(task.hardware, task.noise)
        parameters = self.adapted(parameters, task.hardware, task.support, task.support_y)
        return self._loss(parameters, task.hardware, task.query, task.query_y), divergence

    def _loss(self, parameters: Parameters, hardware: Tensor, arrays: Arrays, labels: Tensor) -> Tensor:
        return mse_loss(functional_call(self.net, parameters, (arrays, hardware)), labels)
