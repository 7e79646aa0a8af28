"""The `quantile` sampler: networks of every size."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.base import Predictor, Query
from predictors.samplers.base import eligible

__all__ = ["QuantileSampler"]


class QuantileSampler:
    """Chooses a network from each of k equal groups by size: by forecast latency, or by FLOPs without a predictor."""

    name: ClassVar[str] = "quantile"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        rows = eligible(candidates, k)
        asked = [candidates[row] for row in rows]
        size = predictor.predict(asked).median_ms if predictor else np.array([query.network.flops for query in asked])
        groups = np.array_split(rows[np.argsort(size, kind="stable")], k)
        return [int(rng.choice(group)) for group in rng.permutation(np.array(groups, dtype=object), axis=0)]
