"""The contract of a sampler, and helpers that samplers share.

A sampler receives queries, a predictor and its uncertainty, and no latency of a network that has not been measured. It
never chooses a degenerate architecture (one whose input does not reach its output): its latency is unlike that of all
other networks, and one among twenty samples spoils an adaptation.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError
from latcast.schema.counting import counted
from predictors.base import FloatArray, Predictor, Query
from predictors.features.encoding import EncodingTable, common_space
from predictors.features.flat import flat_features
from profilers.plugins import names, plugin
from profilers.search_spaces import get_space

__all__ = [
    "ChoosesBeside",
    "HasAdaptationFeatures",
    "Sampler",
    "choose_beside",
    "eligible",
    "get_sampler",
    "query_features",
    "sampler_names",
]

Rows = NDArray[np.intp]


class Sampler(Protocol):
    """Chooses which networks to measure. A sampler is stateless and constructed without arguments."""

    name: ClassVar[str]

    def choose(
        self, candidates: Sequence[Query], k: int, *, predictor: Predictor | None = None, rng: np.random.Generator
    ) -> list[int]:
        """The indices of k different candidates, the most informative first.

        Args:
            candidates: networks that could be measured on the target.
            k: number of candidates to choose.
            predictor: fitted predictor that is to be adapted; None where there is none.
            rng: generator of everything random.

        Raises:
            InputError: fewer than k candidates are eligible.
        """


@runtime_checkable
class ChoosesBeside(Protocol):
    """A sampler that takes into account what was measured already."""

    def choose_beside(
        self,
        candidates: Sequence[Query],
        k: int,
        *,
        observed: Sequence[Query],
        predictor: Predictor | None = None,
        rng: np.random.Generator,
    ) -> list[int]:
        """As `Sampler.choose`, for a predictor that is adapted to the `observed` networks as well."""


@runtime_checkable
class HasAdaptationFeatures(Protocol):
    """A predictor with a prior covariance between the log latencies of networks on a new target."""

    def adaptation_features(self, queries: Sequence[Query]) -> FloatArray:
        """Features, float64 (n, d), whose inner products are the prior covariances of log latency on a new target."""


def sampler_names() -> tuple[str, ...]:
    """Names of all registered samplers."""
    return names("samplers")


def get_sampler(name: str) -> Sampler:
    """The sampler of that name.

    Raises:
        UnknownNameError: no sampler is registered under that name.
    """
    sampler: Sampler = plugin("samplers", name)()
    return sampler


def choose_beside(
    sampler: Sampler,
    candidates: Sequence[Query],
    k: int,
    *,
    observed: Sequence[Query],
    predictor: Predictor | None = None,
    rng: np.random.Generator,
) -> list[int]:
    """What a sampler chooses beside networks that were measured; samplers that do not look at these choose as always.

    Raises:
        InputError: fewer than k candidates are eligible.
    """
    if observed and isinstance(sampler, ChoosesBeside):
        return sampler.choose_beside(candidates, k, observed=observed, predictor=predictor, rng=rng)
    return sampler.choose(candidates, k, predictor=predictor, rng=rng)


def eligible(candidates: Sequence[Query], k: int) -> Rows:
    """Indices of the candidates that are not degenerate, intp (m,), m ≥ k.

    Raises:
        InputError: fewer than k candidates are eligible, or k is not positive.
    """
    if k < 1:
        raise InputError(f"At least one sample has to be chosen, not {k}.")
    rows = [index for index, query in enumerate(candidates) if not _is_degenerate(query)]
    if len(rows) < k:
        left_out = len(candidates) - len(rows)
        raise InputError(f"{counted(k, 'sample was', 'samples were')} asked for, but of "
                         f"{counted(len(candidates), 'candidate')} {len(rows)} can be chosen "
                         f"({left_out} are degenerate). Widen the pool or ask for fewer.")  # fmt: skip
    return np.array(rows, dtype=np.intp)


def query_features(queries: Sequence[Query]) -> FloatArray:
    """Standardised features of n queries, float64 (n, F).

    Queries that are architectures of one space without graphs are described by their encodings, others by the flat
    features of their graphs.
    """
    bare = common_space(queries) is not None and not any(query.has_graph for query in queries)
    raw = EncodingTable.of(queries).features(queries) if bare else flat_features([query.network for query in queries])
    spread = raw.std(axis=0)
    varying = spread > 1e-9
    return np.asarray(
        (raw[:, varying] - raw[:, varying].mean(axis=0)) / spread[varying] / np.sqrt(max(1, varying.sum()))
    )


def _is_degenerate(query: Query) -> bool:
    architecture = query.architecture
    return architecture is not None and get_space(architecture.space).is_degenerate(architecture)
