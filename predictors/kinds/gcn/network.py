"""The network: rounds of messages between nodes, a time for each of them, and the sum's logarithm with its variance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, GINEConv, SAGEConv

from latcast.schema import InputError
from predictors.kinds.gcn.arrays import EDGE_FEATURES, GLOBAL_FEATURES, NODE_FEATURES, GraphArrays

__all__ = ["CONVOLUTIONS", "GraphBatch", "GraphNet", "batch_of"]

CONVOLUTIONS = ("sage", "gcn", "gine")
"""NNLQP's, BRP-NAS's, and one that reads the sizes of the tensors on the edges."""
LOWEST, HIGHEST = -8.0, 3.0
"""Bounds of the logarithm of the variance."""
FARTHEST = 8.0
"""Bound of the logarithm of a node's time over what a roofline says."""


@dataclass(frozen=True, slots=True)
class GraphBatch:
    """Graphs of any sizes, laid side by side.

    Args:
        operators: int64 (n,).
        nodes: float (n, `NODE_FEATURES`).
        links: int64 (2, e), writer and reader of each tensor.
        edges: float (e, `EDGE_FEATURES`).
        share: float (n, 1), share of its graph's cost.
        graph: int64 (n,), which graph a node is of.
        whole: float (g, `GLOBAL_FEATURES`).
    """

    operators: Tensor
    nodes: Tensor
    links: Tensor
    edges: Tensor
    share: Tensor
    graph: Tensor
    whole: Tensor


def batch_of(graphs: Sequence[GraphArrays], dtype: torch.dtype) -> GraphBatch:
    """The graphs, one or more, as one batch."""
    sizes = [len(graph.operators) for graph in graphs]
    starts = np.cumsum([0, *sizes[:-1]])
    sources = np.concatenate([graph.sources + start for graph, start in zip(graphs, starts, strict=True)])
    sinks = np.concatenate([graph.sinks + start for graph, start in zip(graphs, starts, strict=True)])
    return GraphBatch(
        operators=torch.from_numpy(np.concatenate([graph.operators for graph in graphs])),
        nodes=torch.from_numpy(np.concatenate([graph.nodes for graph in graphs])).to(dtype),
        links=torch.from_numpy(np.stack([sources, sinks])),
        edges=torch.from_numpy(np.concatenate([graph.edges for graph in graphs])).to(dtype),
        share=torch.from_numpy(np.concatenate([graph.share for graph in graphs])[:, None]).to(dtype),
        graph=torch.from_numpy(np.repeat(np.arange(len(graphs)), sizes)),
        whole=torch.from_numpy(np.stack([graph.whole for graph in graphs])).to(dtype),
    )


class GraphNet(nn.Module):
    """Log latency of graphs, over that of a roofline: mean and logarithm of the variance of each.

    The latency is a sum over nodes: each has its share of the graph's cost under a roofline, and a factor on it that
    messages decide. A read-out that pools features instead has to learn what a sum is.

    Args:
        operators: size of the vocabulary, the unknown one included.
        layers: rounds of messages, in both directions.
        width: features of a node.
        convolution: one of `CONVOLUTIONS`.

    Raises:
        InputError: there is no such convolution.
    """

    def __init__(self, operators: int, *, layers: int, width: int, convolution: str) -> None:
        super().__init__()
        if convolution not in CONVOLUTIONS:
            raise InputError(f"convolution is one of {', '.join(CONVOLUTIONS)}, not {convolution!r}.")
        self.edged = convolution == "gine"
        self.embedding = nn.Embedding(operators, width)
        self.nodes = nn.Linear(len(NODE_FEATURES), width)
        self.forth = nn.ModuleList(_convolution(convolution, width) for _ in range(layers))
        self.back = nn.ModuleList(_convolution(convolution, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.time = nn.Sequential(nn.Linear(width, width), nn.ReLU(), _zeroed(nn.Linear(width, 1)))
        self.spread = nn.Sequential(nn.Linear(2 * width + len(GLOBAL_FEATURES), width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """(mean (g,), logarithm of the variance (g,))."""
        embedding, mean = self.embed(batch)
        log_variance: Tensor = self.spread(torch.cat([embedding, batch.whole], dim=1))[:, 0]
        return mean, log_variance.clamp(LOWEST, HIGHEST)

    def embed(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """The nodes' features, weighed by their times and alike, side by side (g, 2 · width), and the mean (g,)."""
        state = self.embedding(batch.operators) + self.nodes(batch.nodes)
        turned, edge = batch.links.flip(0), (batch.edges,) if self.edged else ()
        for forth, back, norm in zip(self.forth, self.back, self.norms, strict=True):
            said = forth(state, batch.links, *edge) + back(state, turned, *edge)
            state = state + torch.relu(norm(said))
        times = self.time(state).clamp(-FARTHEST, FARTHEST).exp() * batch.share
        total = _summed(batch, times)
        weighed = _summed(batch, state * times) / total
        return torch.cat([weighed, _mean(batch, state)], dim=1), torch.log(total)[:, 0]


def _zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer, saying nothing: training begins at the roofline."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _convolution(name: str, width: int) -> nn.Module:
    layer: nn.Module
    if name == "sage":
        layer = SAGEConv(width, width)
    elif name == "gcn":
        layer = GCNConv(width, width)
    else:
        inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        layer = GINEConv(inner, edge_dim=len(EDGE_FEATURES))
    return layer


def _summed(batch: GraphBatch, values: Tensor) -> Tensor:
    """The sum over the nodes of each graph."""
    out = torch.zeros((len(batch.whole), values.shape[1]), dtype=values.dtype)
    return out.index_add(0, batch.graph, values)


def _mean(batch: GraphBatch, values: Tensor) -> Tensor:
    counts = _summed(batch, torch.ones_like(batch.share))
    return _summed(batch, values) / counts
