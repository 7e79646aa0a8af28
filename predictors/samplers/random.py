"""The `random` sampler: networks drawn uniformly."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from predictors.base import Predictor, Query
from predictors.samplers.base import eligible

__all__ = ["RandomSampler"]


class RandomSampler:
    """Chooses networks uniformly at random, without replacement."""

    name: ClassVar[str] = "random"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        return [int(index) for index in rng.choice(eligible(candidates, k), size=k, replace=False)]
