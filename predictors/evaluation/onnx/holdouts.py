"""Judging a predictor on whole families or targets of the measured data set that are held out of training.

`families`: each family of the zoo is held out on all targets; on each target a few of its networks are the support, the
rest is forecast. `targets`: all targets of each backend and precision are held out; on each of them a few networks are
the support, the rest is forecast. `hosts`: the same for all targets of each machine. `operators`: each of the commoner
operators is held out with all graphs that have it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latcast.schema import Graph, GraphHash, InputError, Target
from latcast.schema.counting import counted
from predictors.base import LatencyDataset, Predictor, Query
from predictors.data.measured import MeasuredRow
from predictors.data.measured.records import CAREFUL, QUICK
from predictors.data.measured.statistics import repeatability
from predictors.evaluation.onnx.figures import document
from predictors.evaluation.onnx.forecasting import Forecast, Measured, forecast_rest, split_readable
from predictors.evaluation.onnx.manifest import FailedModel
from profilers.search_spaces.families import family_of

__all__ = [
    "HOLDOUTS",
    "Draw",
    "Holdout",
    "families",
    "hosts",
    "judge",
    "judge_table",
    "operators",
    "repeated",
    "targets",
]

_MOST_ROWS = 400
"""Largest number of rows of one target that are judged, a random part, since the graph of each has to be built."""
_FEWEST_FORECASTS = 5
_FINGERPRINT = 8
"""Number of characters of a machine's fingerprint that name it."""
_OPERATORS, _COMMONEST = 20, 0.25
"""Number of operators that are held out in turn, and the largest share of the networks that has one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """A part of the data set that is held out of training.

    Args:
        name: name of the family, or of backend and precision.
        hidden: intp (n,), indices of the rows that are held out.
        judged: target id → indices of those of the rows that are judged: networks of the zoo or of a search space.
    """

    name: str
    hidden: NDArray[np.intp]
    judged: Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The settings by which a held-out part is judged.

    Args:
        sampler: name of the sampler that chooses the support.
        shots: number of measurements in the support of each target.
        seeds: number of repetitions.
    """

    sampler: str
    shots: int
    seeds: int


def families(data: LatencyDataset) -> list[Holdout]:
    """A held-out part for each family of the zoo."""
    names = np.array([_family(query) for query in data.queries])
    in_zoo = sorted({name for name in names if name.startswith("zoo/")})
    return [_holdout(data, name.removeprefix("zoo/"), np.flatnonzero(names == name)) for name in in_zoo]


def targets(data: LatencyDataset) -> list[Holdout]:
    """A held-out part for each backend and precision."""
    names = np.array([f"{query.target.backend} {query.target.precision}" for query in data.queries])
    return [_holdout(data, name, np.flatnonzero(names == name)) for name in sorted(set(names))]


def hosts(data: LatencyDataset) -> list[Holdout]:
    """A held-out part for each machine, by the first characters of its fingerprint, with all its targets.

    Raises:
        InputError: all rows are of one machine, so that nothing would be left to train on.
    """
    names = np.array([query.target.device[:_FINGERPRINT] for query in data.queries])
    machines = sorted(set(names))
    if len(machines) < 2:
        raise InputError(
            f"The data set has {'one machine' if machines else 'no rows'}: to leave a host out, pack campaigns of at "
            "least two (`latcast dataset pack CAMPAIGN-OF-ONE CAMPAIGN-OF-ANOTHER --out DIR`)."
        )
    return [_holdout(data, name, np.flatnonzero(names == name)) for name in machines]


def operators(data: LatencyDataset) -> list[Holdout]:
    """A held-out part for each of the operators that most networks have, but for those that hardly any lacks."""
    present = [_operators_of(query.graph) for query in data.queries]
    networks = [names for names, query in zip(present, data.queries, strict=True) if _is_network(query)]
    counts = Counter(name for names in networks for name in names)
    rare_enough = [name for name, count in counts.most_common() if count <= _COMMONEST * len(networks)]
    return [
        _holdout(data, name, np.flatnonzero([name in names for names in present]))
        for name in sorted(rare_enough[:_OPERATORS])
    ]


def _operators_of(graph: Graph) -> frozenset[str]:
    """Names of the operators of a graph and its bodies."""
    inside = [_operators_of(body) for node in graph.nodes for body in node.bodies]
    return frozenset(node.operator for node in graph.nodes).union(*inside)


HOLDOUTS: Mapping[str, Callable[[LatencyDataset], list[Holdout]]] = {
    "families": families,
    "targets": targets,
    "hosts": hosts,
    "operators": operators,
}


def judge(
    data: LatencyDataset,
    holdout: Holdout,
    predictor: Predictor,
    draw: Draw,
    *,
    differences: Sequence[float] = (),
) -> dict[str, Any]:
    """Train on the rest, adapt to each target with a few held-out networks, and forecast the others.

    Args:
        data: data set of all targets.
        holdout: part that is held out of training.
        predictor: unfitted predictor.
        draw: sampler, shots and number of repetitions.
        differences: |a − b| / mean of networks that were measured twice.

    Returns:
        The document of `predictors.evaluation.onnx.figures`; names of models begin with the target.

    Raises:
        InputError: no rows are left to train on.
        UnknownNameError: the sampler is not registered.
        LatcastError: the predictor cannot be trained on the rest, or cannot be adapted.
    """
    rest = np.setdiff1d(np.arange(len(data)), holdout.hidden)
    if len(rest) == 0:
        raise InputError(f"Without {holdout.name!r} the data set has no rows to train on.")
    base = predictor.fit(data.subset(rest))
    return document(*_forecast(data, holdout.judged, base, draw), differences=differences)


def judge_table(
    data: LatencyDataset,
    base: Predictor,
    draw: Draw,
    *,
    skipped: Sequence[FailedModel] = (),
    names: Mapping[GraphHash, str] | None = None,
) -> dict[str, Any]:
    """Adapt to each target of somebody else's table with a few of its networks, and forecast the others.

    Args:
        data: the table; queries hold graphs, or architectures that the predictor reads.
        base: fitted predictor that has not seen the table.
        draw: sampler, shots and number of repetitions.
        skipped: rows that the table has besides, with the reasons.
        names: names of graphs; their hashes where left out.

    Returns:
        The document of `predictors.evaluation.onnx.figures`; names of models begin with the target.

    Raises:
        InputError: no target has enough networks.
        UnknownNameError: the sampler is not registered.
        LatcastError: the predictor cannot be adapted.
    """
    judged = _holdout(data, "table", np.arange(len(data), dtype=np.intp)).judged
    most = max((len(rows) for rows in judged.values()), default=0)
    if most < draw.shots + _FEWEST_FORECASTS:
        raise InputError(
            f"{counted(draw.shots, 'shot')} and at least {_FEWEST_FORECASTS} forecasts need "
            f"{counted(draw.shots + _FEWEST_FORECASTS, 'network')} of one target, and the table has {most}: add "
            "rows, or ask for fewer --shots."
        )
    latency_ms, forecasts, failed = _forecast(data, judged, base, draw, names)
    return document(latency_ms, forecasts, [*skipped, *failed], differences=())


def _forecast(
    data: LatencyDataset,
    judged: Mapping[str, NDArray[np.intp]],
    base: Predictor,
    draw: Draw,
    names: Mapping[GraphHash, str] | None = None,
) -> tuple[dict[str, float], list[Forecast], list[FailedModel]]:
    """Measured latencies by name, forecasts of all repetitions, and networks that the predictor cannot read."""
    latency_ms: dict[str, float] = {}
    forecasts: list[Forecast] = []
    failed: list[FailedModel] = []
    for rows in judged.values():
        models, unreadable = split_readable(_measured(data, rows, names or {}), base)
        failed += unreadable
        if len(models) < draw.shots + _FEWEST_FORECASTS:
            continue
        latency_ms |= {model.name: model.latency_ms for model in models}
        evidence = data.evidence.get(models[0].query.target.id)
        for seed in range(draw.seeds):
            forecasts += forecast_rest(
                models, base, sampler=draw.sampler, shots=draw.shots, seed=seed, evidence=evidence
            )
    return latency_ms, forecasts, failed


def repeated(rows: Sequence[MeasuredRow], pooled: Sequence[MeasuredRow], holdout: Holdout) -> list[float]:
    """|a − b| / mean of the held-out networks that were measured twice, by careful measurements where there are any.

    Args:
        rows: all rows of the measured data set, repetitions included.
        pooled: pooled rows, one for each row of the `LatencyDataset`, in its order.
        holdout: held-out part of that data set.
    """
    hidden = {(pooled[row].target, pooled[row].graph) for judged in holdout.judged.values() for row in judged}
    part = [row for row in rows if (row.target, row.graph) in hidden]
    return repeatability(part, CAREFUL) or repeatability(part, QUICK)


def _holdout(data: LatencyDataset, name: str, rows: NDArray[np.intp]) -> Holdout:
    by_target: dict[str, list[int]] = {}
    for row in rows:
        query = data.queries[row]
        if _is_network(query):
            by_target.setdefault(query.target.id, []).append(int(row))
    rng = np.random.default_rng([*name.encode()])
    judged = {
        target: np.sort(rng.choice(places, size=min(len(places), _MOST_ROWS), replace=False))
        for target, places in by_target.items()
    }
    return Holdout(name=name, hidden=rows, judged=judged)


def _is_network(query: Query) -> bool:
    return query.architecture is None or query.architecture.space != "kernels"


def _family(query: Query) -> str:
    return family_of(query.architecture) if query.architecture is not None else ""


def _measured(data: LatencyDataset, rows: NDArray[np.intp], names: Mapping[GraphHash, str]) -> list[Measured]:
    models = []
    for row in rows:
        query, latency = data.queries[row], float(data.latency_ms[row])
        models.append(
            Measured(
                name=f"{_whose(query.target)}: {_text(query, names)}",
                query=query,
                latency_ms=latency,
                support_ms=latency,
                noise_log=0.0 if data.noise_log is None else float(data.noise_log[row]),
                kernels=None if data.kernels is None else data.kernels[row],
            )
        )
    return models


def _whose(target: Target) -> str:
    """Other people's targets go by the name of their device."""
    return target.device if target.origin else f"{target.label} ({target.id[:6]})"


def _text(query: Query, names: Mapping[GraphHash, str]) -> str:
    architecture = query.architecture
    if architecture is None:
        return names.get(query.graph.hash, query.graph.hash)
    return f"{architecture.space}/{architecture.text}"
