"""Graph convolution on small dense graphs (Kipf and Welling, ICLR 2017, https://arxiv.org/abs/1609.02907).

Without the paper's degree normalisation, as BRP-NAS and HELP use it: h' = A h W + b.
"""

import math

import torch
from torch import Tensor, nn

__all__ = ["GraphConvolution"]


class GraphConvolution(nn.Module):
    """One layer.

    Args:
        inputs: features of each node.
        outputs: features of each node afterwards.
        weight_bound: weights start uniform in ± this; ±1/√outputs where left out. Biases always do the latter.
    """

    def __init__(self, inputs: int, outputs: int, *, weight_bound: float | None = None) -> None:
        super().__init__()
        bound = 1 / math.sqrt(outputs)
        self.weight = nn.Parameter(
            torch.empty(inputs, outputs).uniform_(-(weight_bound or bound), weight_bound or bound)
        )
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Node features after one round of messages.

        Args:
            nodes: (n, v, inputs).
            adjacency: (n, v, v), row i holds 1 for each node that sends to i.
        """
        # One matmul over all nodes, then one small one for each graph: (n, v, v) @ (n, v, outputs).
        return adjacency @ (nodes @ self.weight) + self.bias
