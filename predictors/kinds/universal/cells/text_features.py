"""Search spaces made of fields as features in which latency is a sum: every value at every place is a column."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Architecture, UnknownNameError
from predictors.base import FloatArray
from predictors.kinds.universal.cells.feature_space import FeatureSpace
from profilers.search_spaces import get_space

__all__ = ["text_features"]


@cache
def text_features(name: str) -> FeatureSpace | None:
    """The features of a registered space that says it can be read so (`TextSpace` does); None of any other."""
    try:
        space = get_space(name)
    except UnknownNameError:
        return None
    if not getattr(space, "has_cell_features", False):
        return None
    fields = [position.name.rpartition(" ")[2] for position in space.positions()]
    places = [field for field, position in zip(fields, space.positions(), strict=True) for _ in position.options]
    options = [f"{field}{option}" for field, position in zip(fields, space.positions(), strict=True)
               for option in position.options]  # fmt: skip

    def features(texts: Sequence[str]) -> FloatArray:
        rows = [space.encode(Architecture(space=name, text=text))["one_hot"] for text in texts]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(places))

    return FeatureSpace(
        name=name,
        features=features,
        measurable=_all_measurable,
        places=slice(0, len(places)),
        factors={"values": _same(options), "places": np.eye(len(places))},
        masks={"fields": _same(places) @ _same(places).T, "options": _same(options) @ _same(options).T},
    )


def _same(names: Sequence[str]) -> FloatArray:
    """One-hot of equal names, float64 (n, distinct)."""
    distinct = list(dict.fromkeys(names))
    return np.array([[float(name == other) for other in distinct] for name in names])


def _all_measurable(texts: Sequence[str]) -> NDArray[np.bool_]:
    return np.ones(len(texts), dtype=bool)
