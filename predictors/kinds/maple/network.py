"""MAPLE's regressor (Abbasi, Wong and Shafiee, 2021, https://arxiv.org/abs/2111.15106): dense layers."""

from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["MapleNet"]


class MapleNet(nn.Module):
    """Log latency from an architecture beside a hardware descriptor.

    Args:
        features: of both together.
        width: of the hidden layers.
        layers: hidden ones.
    """

    def __init__(self, features: int, *, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        sizes = [features] + [width] * layers
        hidden = [module for a, b in pairwise(sizes) for module in (nn.Linear(a, b), nn.ReLU())]
        self.body = nn.Sequential(*hidden, nn.Linear(width, 1))

    def forward(self, architecture: Tensor, descriptor: Tensor) -> Tensor:
        """(n,) from (n, a) and (n, d)."""
        x = torch.cat([architecture, descriptor], dim=-1)  # (n, a + d)
        out: Tensor = self.body(x)  # (n, 1)
        return out.squeeze(-1)
