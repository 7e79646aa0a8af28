"""BRP-NAS's networks (Dudziak et al., NeurIPS 2020, https://arxiv.org/abs/2007.08668, sections 3 and 4)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from predictors.kinds.graph_convolution import GraphConvolution

__all__ = ["BinaryRelation", "BrpGcn"]


class BrpGcn(nn.Module):
    """Graph convolutions with layer normalisation, read out at the global node (the first).

    Args:
        features: of each node.
        layers: graph convolutions.
        width: of each.
        dropout: after each.
        outputs: of the linear head; 1 regresses or scores.
    """

    def __init__(
        self, features: int, *, layers: int = 4, width: int = 600, dropout: float = 0.002, outputs: int = 1
    ) -> None:
        super().__init__()
        sizes = [features] + [width] * layers
        self.convolutions = nn.ModuleList([GraphConvolution(a, b) for a, b in pairwise(sizes)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(layers)])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)

    def embed(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """(n, width) from nodes (n, v, features) and adjacency (n, v, v)."""
        x = nodes
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = self.dropout(torch.relu(norm(convolution(x, adjacency))))  # (n, v, width)
        return x[:, 0]

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """(n, outputs)."""
        out: Tensor = self.head(self.embed(nodes, adjacency))
        return out


class BinaryRelation(nn.Module):
    """Which of two architectures is better: one network embeds both, a linear layer compares.

    The head is linear in the concatenated embeddings, so its two logits are a sum of what each side contributes:
    comparing n architectures takes n passes, not n².

    Args:
        features: of each node.
        layers: graph convolutions.
        width: of each.
        dropout: after each.
    """

    def __init__(self, features: int, *, layers: int = 4, width: int = 600, dropout: float = 0.2) -> None:
        super().__init__()
        self.cell = BrpGcn(features, layers=layers, width=width, dropout=dropout, outputs=4)

    def sides(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Contributions of each architecture: (n, 2 sides, 2 logits)."""
        out: Tensor = self.cell(nodes, adjacency)
        return out.view(-1, 2, 2)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Log-probabilities (m, 2) that the first, or the second, is the better, from sides (m, 2, 2) of each."""
        return torch.log_softmax(first[:, 0] + second[:, 1], dim=-1)
