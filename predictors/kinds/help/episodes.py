"""Rows of several targets as tasks to meta-learn from (HELP, section 3.3)."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latcast.schema import InputError, TargetId
from latcast.schema.counting import counted
from predictors.base import FloatArray, LatencyDataset
from predictors.features.cells import cell_architectures, help_arrays, layer_one_hot
from predictors.features.references import min_max, reference_latencies
from predictors.kinds.help.network import Episode

__all__ = ["PORTION", "MetaTasks", "label_line"]

PORTION = 0.9
"""Labels of a target's usual range lie in 0.05–0.95, as in the authors' code."""


def label_line(low_ms: float, high_ms: float) -> tuple[float, float]:
    """(slope, intercept) with ms = slope · label + intercept, where the usual range spans `PORTION` of the labels."""
    slope = (high_ms - low_ms) / PORTION
    return slope, low_ms - slope * (1 - PORTION) / 2


class MetaTasks:
    """Draws episodes.

    Args:
        data: rows of several targets, all with the reference latencies as evidence.
        references: keys of the reference architectures.
        trim: share of rows at each end of a target's latencies that are left out.
        support_rows: k of an episode.

    Raises:
        InputError: a target has too few rows.
    """

    def __init__(self, data: LatencyDataset, references: tuple[str, ...], *, trim: float, support_rows: int) -> None:
        architectures = cell_architectures(data.queries)
        unique = {architecture: index for index, architecture in enumerate(dict.fromkeys(architectures))}
        self.arrays = tuple(torch.from_numpy(array) for array in help_arrays(list(unique)))
        self.seen: NDArray[np.bool_] = np.asarray(layer_one_hot(list(unique)).any(axis=0))
        self.support_rows = support_rows
        self.ranges: dict[TargetId, tuple[float, float]] = {}
        self.embeddings: dict[TargetId, FloatArray] = {}
        self._rows: list[tuple[NDArray[np.int64], Tensor]] = []
        references_ms = {target: reference_latencies(references, data.subset([]), target) for target in data.targets()}
        codes = np.array([unique[architecture] for architecture in architectures])
        for target, rows in data.targets().items():
            kept, low, high = _trimmed(data.latency_ms, np.array(rows), trim)
            if len(kept) <= support_rows or high <= low:
                raise InputError(
                    f"Meta-learning needs more than {counted(support_rows, 'different latency')} of every target."
                )
            slope, intercept = label_line(low, high)
            labels = torch.from_numpy(((data.latency_ms[kept] - intercept) / slope).astype(np.float32))
            self._rows.append((codes[kept], labels))
            self.ranges[target], self.embeddings[target] = (low, high), min_max(references_ms[target])

    def episodes(
        self, rng: np.random.Generator, count: int, *, devices: int, query_rows: int, noise: int
    ) -> Iterator[Episode]:
        """Episodes of distinct devices and rows.

        Args:
            rng: draws.
            count: of episodes.
            devices: of an episode, at most.
            query_rows: q of an episode, at most.
            noise: z.
        """
        query_rows = min(query_rows, min(len(codes) for codes, _ in self._rows) - self.support_rows)
        embeddings = torch.from_numpy(np.array(list(self.embeddings.values()), dtype=np.float32))
        for _ in range(count):
            chosen = rng.permutation(len(self._rows))[:devices]
            parts = [rng.permutation(len(self._rows[t][0]))[: self.support_rows + query_rows] for t in chosen]
            codes = np.stack([self._rows[t][0][part] for t, part in zip(chosen, parts, strict=True)])
            labels = torch.stack([self._rows[t][1][part] for t, part in zip(chosen, parts, strict=True)])
            arrays = [array[torch.from_numpy(codes)] for array in self.arrays]
            k = self.support_rows
            draws = torch.from_numpy(rng.standard_normal((len(chosen), noise)).astype(np.float32))
            yield Episode(
                hardware=embeddings[torch.from_numpy(chosen)],
                support=tuple(array[:, :k] for array in arrays),
                support_y=labels[:, :k],
                query=tuple(array[:, k:] for array in arrays),
                query_y=labels[:, k:],
                noise=draws,
            )


def _trimmed(latency_ms: FloatArray, rows: NDArray[np.intp], trim: float) -> tuple[NDArray[np.intp], float, float]:
    """(rows without both tails, lowest, highest of them)."""
    order = rows[np.argsort(latency_ms[rows], kind="stable")]
    kept = order[int(len(order) * trim) : int(len(order) * (1 - trim))]
    if len(kept) == 0:
        return kept, 0.0, 0.0
    return kept, float(latency_ms[kept[0]]), float(latency_ms[kept[-1]])
