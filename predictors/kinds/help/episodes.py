"""Rows of several targets as tasks to meta-learn from (HELP, section 3.3)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latcast.schema import InputError, TargetId
from latcast.schema.counting import counted
from predictors.kinds.help.network import Episode
from predictors.kinds.help.readings import TargetRows

__all__ = ["MetaTasks"]


class MetaTasks:
    """Draws episodes.

    Args:
        arrays: what the network reads of each of m networks, (m, …) each.
        targets: rows by target.
        support_rows: k of an episode.

    Raises:
        InputError: a target has too few rows, or one latency for all.
    """

    def __init__(
        self, arrays: Sequence[NDArray[Any]], targets: Mapping[TargetId, TargetRows], *, support_rows: int
    ) -> None:
        for rows in targets.values():
            if len(rows.labels) <= support_rows or np.ptp(rows.labels) == 0:
                raise InputError(
                    f"Meta-learning needs more than {counted(support_rows, 'different latency')} of every target: have "
                    "more networks measured, or train with fewer support_rows (`--hyper support_rows=5`)."
                )
        self.arrays = tuple(torch.from_numpy(array) for array in arrays)
        self.targets, self.support_rows = targets, support_rows
        self._rows = [(rows.networks, torch.from_numpy(rows.labels.astype(np.float32))) for rows in targets.values()]

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
        embeddings = torch.from_numpy(np.array([rows.embedding for rows in self.targets.values()], dtype=np.float32))
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
