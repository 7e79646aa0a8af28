"""Queries and rows as texts of one search space."""

from collections.abc import Sequence

import numpy as np

from latcast.schema import InputError, TargetId, UnsupportedGraphError
from latcast.schema.counting import counted
from predictors.base import LatencyDataset, Query
from predictors.kinds.universal.cells.fbnet_features import FBNET
from predictors.kinds.universal.cells.feature_space import FeatureSpace
from predictors.kinds.universal.cells.nasbench201_features import NASBENCH201
from predictors.kinds.universal.cells.prior import SourceRows
from predictors.kinds.universal.cells.text_features import text_features

__all__ = ["SPACES", "common_space", "feature_space", "source_rows", "texts_of"]

SPACES = {space.name: space for space in (NASBENCH201, FBNET)}
"""Search spaces whose features are known."""

_FEWEST_ROWS = 10


def texts_of(queries: Sequence[Query], space: FeatureSpace) -> list[str]:
    """The queries' texts.

    Raises:
        UnsupportedGraphError: a query without an architecture of the space.
    """
    texts = [
        query.architecture.text for query in queries if query.architecture and query.architecture.space == space.name
    ]
    if len(texts) != len(queries):
        others = sorted(
            {query.architecture.space if query.architecture else "graphs" for query in queries} - {space.name}
        )
        raise UnsupportedGraphError(
            f"This predictor was fitted on architectures of {space.name!r} and reads no others; "
            f"{len(queries) - len(texts)} of {counted(len(queries), 'query')} are of {', '.join(others)}."
        )
    return texts


def common_space(queries: Sequence[Query]) -> FeatureSpace | None:
    """The known search space that all queries are architectures of; None where they have to be read as graphs."""
    names = {query.architecture.space if query.architecture else "graphs" for query in queries}
    return feature_space(names.pop()) if len(names) == 1 else None


def feature_space(name: str) -> FeatureSpace | None:
    """The features of a search space; None where its architectures have to be read as graphs."""
    return SPACES.get(name) or text_features(name)


def source_rows(space: FeatureSpace, data: LatencyDataset, target: TargetId) -> SourceRows:
    """A device's rows without degenerate architectures.

    Raises:
        InputError: too few of them.
    """
    texts = texts_of(data.queries, space)
    rows = np.flatnonzero(space.measurable(texts))
    if len(rows) < _FEWEST_ROWS:
        raise InputError(
            f"The device {target} has {counted(len(rows), 'usable row')}; a cost profile takes {_FEWEST_ROWS} at least."
        )
    return [texts[row] for row in rows], data.latency_ms[rows]
