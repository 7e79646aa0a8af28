"""The network: rounds of messages between nodes, a read-out weighed by cost, and a mean with its own variance."""

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
    """Log latency of graphs: mean and logarithm of the variance of each.

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
        self.hidden = nn.Linear(2 * width + len(GLOBAL_FEATURES), width)
        self.head = nn.Linear(width, 2)

    def forward(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """(mean (g,), logarithm of the variance (g,))."""
        return self.read_out(self.embed(batch))

    def read_out(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """(mean (g,), logarithm of the variance (g,)) from what `embed` gives."""
        mean, log_variance = self.head(embedding).unbind(dim=1)
        return mean, log_variance.clamp(LOWEST, HIGHEST)

    def embed(self, batch: GraphBatch) -> Tensor:
        """What the graphs' means and variances are linear in: (g, width)."""
        state = self.embedding(batch.operators) + self.nodes(batch.nodes)
        turned, edge = batch.links.flip(0), (batch.edges,) if self.edged else ()
        for forth, back, norm in zip(self.forth, self.back, self.norms, strict=True):
            said = forth(state, batch.links, *edge) + back(state, turned, *edge)
            state = state + torch.relu(norm(said))
        pooled = torch.cat([_summed(batch, state * batch.share), _mean(batch, state), batch.whole], dim=1)
        return torch.relu(self.hidden(pooled))


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
