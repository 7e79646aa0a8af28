"""Explanations: a forecast, its kernels, measured networks that spend their time alike, and what to measure next.

Nothing here reads a database: `service.forecasting.explainer` explains the service's forecasts with it, and
`latcast explain` those that it makes itself.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from latcast.schema import Architecture, GraphHash, InputError, LatcastError, UnknownNameError, UnsupportedGraphError
from predictors.base import FloatArray, Predictor, Query
from predictors.explanation import Explanation, cost_profile, explain, measure_next, profile_distance
from service.forecasting.types import ExplainedForecast, Neighbour, Proposal

__all__ = [
    "MeasuredNetwork",
    "candidates",
    "explained_by",
    "neighbours",
    "plain",
    "pool",
    "proposals",
]

CLOSEST = 80
"""Measured networks, closest in latency in their families, whose kernels are looked at."""
POOL = 60
LONGEST_MS = 500.0
"""Networks that are forecast to take longer are not proposed for measuring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredNetwork:
    """A network that was measured on the target.

    Args:
        latency_ms: measured latency.
        architecture: that it was built from, where it was.
        graph: hash of its graph, where a database has that.
        row: id of its measurement in a database.
    """

    latency_ms: float
    architecture: Architecture | None = None
    graph: GraphHash | None = None
    row: int | None = None

    @property
    def name(self) -> str:
        """For people: the architecture, or the beginning of the graph's hash."""
        if self.architecture is None:
            return f"graph {(self.graph or '')[:15]}"
        return f"{self.architecture.space}/{self.architecture.text}"

    @property
    def family(self) -> str:
        """What networks are called that are built alike; empty for a graph of its own."""
        from profilers.search_spaces.families import family_of

        if self.architecture is None:
            return ""
        try:
            return family_of(self.architecture)
        except UnknownNameError:
            return self.architecture.space


def explained_by(predictor: Predictor, query: Query) -> tuple[Explanation | None, str]:
    """The explanation by kernel, or None and why there is none."""
    try:
        return explain(predictor, query), ""
    except (InputError, UnsupportedGraphError) as error:
        return None, str(error)


def candidates(measured: Sequence[MeasuredNetwork], latency_ms: float) -> list[MeasuredNetwork]:
    """The closest in latency of each family, then the second closest of each, and so on."""
    places: Counter[str] = Counter()
    ranked: list[tuple[int, MeasuredNetwork]] = []
    for network in sorted(measured, key=lambda network: abs(math.log(network.latency_ms / latency_ms))):
        family = network.family
        ranked.append((places[family], network))
        places[family] += 1
    return [network for _, network in sorted(ranked, key=lambda item: item[0])[:CLOSEST]]


def neighbours(
    predictor: Predictor, explanation: Explanation, networks: Sequence[tuple[MeasuredNetwork, Query]]
) -> list[Neighbour]:
    """Every network with its distance from what is explained, the most alike first.

    Args:
        predictor: gives each network's kernels; a network that it cannot read is left out.
        explanation: of the network that neighbours are wanted of.
        networks: measured ones, and how the predictor is asked about them.
    """
    shares, result = explanation.shares("kind"), []
    for network, query in networks:
        try:
            distance = profile_distance(shares, cost_profile(predictor, query))
        except LatcastError:
            continue  # its generator may have changed since: others are as good
        result.append(Neighbour(name=network.name, measured_ms=network.latency_ms, distance=distance))
    return sorted(result, key=lambda neighbour: neighbour.distance)


def pool(space_name: str) -> list[Architecture]:
    """Architectures among which the most useful measurement is looked for: always the same of a search space."""
    import numpy as np

    from profilers.search_spaces import get_space

    rng, space = np.random.default_rng(0), get_space(space_name)
    return list({architecture.text: architecture for architecture in (space.sample(rng) for _ in range(POOL))}.values())


def proposals(
    predictor: Predictor, query: Query, asked: Sequence[Query], measured: Sequence[Query], *, most: int
) -> list[Proposal]:
    """Networks whose measurement would tell most about the query, the most useful first.

    Args:
        predictor: with `adaptation_features`; of another one nothing is proposed.
        query: whose forecast is to become surer.
        asked: queries of architectures that could be measured.
        measured: queries of networks that were measured on the target already.
        most: proposals at most.

    Raises:
        UnsupportedGraphError: the predictor cannot read one of the networks.
    """
    if not asked:
        return []
    forecasts = predictor.predict(asked).median_ms.tolist()
    quick = [(candidate, ms) for candidate, ms in zip(asked, forecasts, strict=True) if ms <= LONGEST_MS]
    ranked = measure_next(predictor, query, [candidate for candidate, _ in quick], measured)
    return [_proposal(*quick[place], share) for place, share in ranked[:most]]


def _proposal(query: Query, forecast_ms: float, share: float) -> Proposal:
    assert query.architecture is not None  # noqa: S101 - the pool consists of architectures
    space, text = query.architecture.space, query.architecture.text
    return Proposal(space=space, text=text, forecast_ms=forecast_ms, variance_removed=share)


def plain(explained: ExplainedForecast) -> dict[str, Any]:
    """The explanation as JSON values: what the API answers and the CLI prints; times in ms."""
    explanation = explained.explanation
    return {
        **asdict(explained.forecast),
        "kernels_ms": None if explanation is None else explanation.latency_ms,
        "kernels": [] if explanation is None else _kernels(explanation, explained.kernel_measured_ms),
        "no_kernels": explained.no_kernels,
        "peaks": None if explanation is None else {**asdict(explanation.peaks), "ridge": explanation.peaks.ridge},
        "nearest": [asdict(neighbour) for neighbour in explained.nearest],
        "measure_next": [asdict(proposal) for proposal in explained.measure_next],
    }


def _kernels(explanation: Explanation, measured_ms: FloatArray | None) -> list[dict[str, Any]]:
    measured = [math.nan] * len(explanation.kernels) if measured_ms is None else measured_ms.tolist()
    return [
        {**asdict(kernel), "measured_ms": None if math.isnan(ms) else ms}
        for kernel, ms in zip(explanation.kernels, measured, strict=True)
    ]
