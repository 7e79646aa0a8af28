"""The `reference` sampler: the same networks on every target (HELP, section 3.2)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

import numpy as np

from predictors.base import Predictor, Query
from predictors.data.splits import query_key
from predictors.samplers.base import eligible

__all__ = ["ReferenceSampler"]


class ReferenceSampler:
    """Chooses the same networks on every target, whichever other candidates there are (HELP, section 3.2).

    The networks by which the predictor describes devices (`references_`) come first, then the others in an order that
    follows from a network's text or hash alone. Devices measured so can be compared measurement by measurement.
    """

    name: ClassVar[str] = "reference"

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """See `Sampler.choose`."""
        references = frozenset(getattr(predictor, "references_", ()))
        keys = {int(row): query_key(candidates[row]) for row in eligible(candidates, k)}
        order = sorted(keys, key=lambda row: (keys[row] not in references, sha256(keys[row].encode()).digest(), row))
        return order[:k]
