"""The data sets by which the suite fits and judges a predictor."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from predictors.base import LatencyDataset
from predictors.testing.devices import DEVICES, NEW_DEVICE, measure
from predictors.testing.graphs import random_graph

__all__ = ["Workload", "default_workload"]


@dataclass(frozen=True)
class Workload:
    """Data sets for one run of the suite, all of different networks.

    Args:
        train: rows of the training devices.
        held_out: held-out rows of the same devices.
        support: a few rows of a new device.
        new_held_out: held-out rows of the new device.
    """

    train: LatencyDataset
    held_out: LatencyDataset
    support: LatencyDataset
    new_held_out: LatencyDataset

    @property
    def has_graphs(self) -> bool:
        """Whether the queries have graphs, rather than architectures alone."""
        return all(query.has_graph for query in self.train.queries)


@cache
def default_workload(train: int = 300, held_out: int = 300, support: int = 20) -> Workload:
    """Random convolutional networks on the analytic devices.

    Args:
        train: number of graphs in training.
        held_out: number of held-out graphs, on the training devices and again on the new one.
        support: number of graphs measured on the new device.
    """
    rng = np.random.default_rng(7)
    graphs = [random_graph(rng) for _ in range(train + held_out + support + held_out)]
    cuts = np.cumsum([train, held_out, support])
    return Workload(
        train=measure(graphs[: cuts[0]], DEVICES, rng),
        held_out=measure(graphs[cuts[0] : cuts[1]], DEVICES, rng),
        support=measure(graphs[cuts[1] : cuts[2]], [NEW_DEVICE], rng),
        new_held_out=measure(graphs[cuts[2] :], [NEW_DEVICE], rng),
    )
