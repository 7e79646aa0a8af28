"""What is known of the target that `latcast explain` explains for: who forecasts, and what was measured on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latcast.schema import (
    Architecture,
    Graph,
    InputError,
    LatcastError,
    ProfileSettings,
    Target,
    UnknownNameError,
)

if TYPE_CHECKING:
    from latcast.client import Client
    from predictors.base import Predictor
    from predictors.data.measured import MeasuredTarget

__all__ = ["Known", "MeasuredGraph", "from_data", "from_nothing", "from_service"]

MOST_SUPPORT = 40
"""Newest measurements of a service's target that are adapted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGraph:
    """A graph that was measured on the target.

    Args:
        name: for people.
        family: what it is kin to; empty where nobody knows.
        latency_ms: measured.
        load: gives the graph.
    """

    name: str
    family: str
    latency_ms: float
    load: Callable[[], Graph]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A target and what is known of it.

    Args:
        target: to explain for.
        device: its machine, for people.
        predictor: that forecasts for it.
        measured: graphs that were measured on it.
    """

    target: Target
    device: str
    predictor: "Predictor"
    measured: Sequence[MeasuredGraph]


def from_nothing(predictor: "Predictor") -> Known:
    """This machine at the default settings, of which no measurement is known."""
    from profilers.backends.target_settings import target_for
    from profilers.host.device import describe_device

    device = describe_device()
    target = target_for(device, ProfileSettings())
    return Known(target=target, device=device.processor, predictor=predictor, measured=())


def from_data(folder: Path, wanted: str | None, predictor: "Predictor") -> Known:
    """A target of a measured data set.

    Args:
        folder: of the data set.
        wanted: beginning of the target's id, or words of its label; None for the only one, or the default settings.
        predictor: trained on the data set, or at least not worse for not being.

    Raises:
        InputError: no such data set, or no target or several that fit; lists them.
    """
    from predictors.data.measured import read_targets

    chosen = _one_target(read_targets(folder), wanted)
    return Known(
        target=chosen.target,
        device=chosen.device.processor,
        predictor=predictor,
        measured=_rows(folder, chosen.target),
    )


def from_service(client: "Client", record: Mapping[str, Any], base: "Predictor") -> Known:
    """A service's target; the predictor is adapted here to what was measured there.

    Args:
        client: of the service.
        record: the target, as the service lists it.
        base: to adapt.

    Raises:
        LatcastError: nothing was measured on it, or the service refuses.
    """
    import numpy as np

    from predictors.base import LatencyDataset, Query

    listed = islice(client.measurements(record["id"], outcome="measured", sort="-id"), MOST_SUPPORT)
    found = {row["graph"]: (row, client.measurement(row["id"])) for row in listed if row["graph"]}
    if not found:
        raise LatcastError(f"Nothing was measured on {record['label']} yet: run `latcast adapt` for it.")
    measured = [_stored(client, row) for row, _ in found.values()]
    records = [one for _, one in found.values()]
    target, kernels = records[0].target, [one.kernels for one in records]
    support = LatencyDataset(
        queries=[Query(target=target, graph=graph.load()) for graph in measured],
        latency_ms=np.array([graph.latency_ms for graph in measured]),
        kernels=kernels if any(kernels) else None,
    )
    predictor = base.adapt(target, support) if base.capabilities.adaptable else base
    return Known(target=target, device=record["device_name"], predictor=predictor, measured=measured)


def _one_target(known: "Sequence[MeasuredTarget]", wanted: str | None) -> "MeasuredTarget":
    if wanted is None:
        found = [one for one in known if len(known) == 1 or _is_default(one.target)]
    else:
        found = [one for one in known if one.target.id.startswith(wanted)] or [
            one for one in known if _has_words(f"{one.target.label} {one.device.name}", wanted)
        ]
    listed = [f"{one.target.id} ({one.target.label})" for one in (found or known)]
    if not found:
        raise UnknownNameError("target", wanted or "of the default settings", listed)
    if len(found) > 1:
        raise InputError(f"Several targets fit; choose one with --target ID: {'; '.join(listed)}.")
    return found[0]


def _has_words(text: str, wanted: str) -> bool:
    return set(wanted.casefold().split()) <= set(text.casefold().split())


def _is_default(target: Target) -> bool:
    """Whether it is what `latcast profile` measures when nobody says."""
    from profilers.backends import get_backend

    usual = ProfileSettings()
    given = (target.backend, target.precision, target.threads)
    if given != (usual.backend, usual.precision, usual.threads):
        return False
    return dict(target.options) == dict(get_backend(target.backend).default_options)


def _rows(folder: Path, target: Target) -> list[MeasuredGraph]:
    """Networks that were measured; of the large files no more is read than that takes."""
    from pyarrow import parquet

    from predictors.data.measured import ROWS_FILE

    columns = ["space", "text", "latency_ms"]
    wanted = [("target", "==", target.id), ("stale", "==", False), ("space", "!=", "kernels")]
    table = parquet.read_table(folder / ROWS_FILE, columns=columns, filters=wanted)
    latencies: dict[Architecture, float] = {}
    for row in table.to_pylist():
        if row["latency_ms"] is not None:
            latencies[Architecture(space=row["space"], text=row["text"])] = row["latency_ms"]
    return [_network(architecture, ms) for architecture, ms in latencies.items()]


def _network(architecture: Architecture, latency_ms: float) -> MeasuredGraph:
    from profilers.search_spaces.families import family_of

    return MeasuredGraph(
        name=f"{architecture.space}/{architecture.text}",
        family=family_of(architecture),
        latency_ms=latency_ms,
        load=partial(_built, architecture),
    )


def _built(architecture: Architecture) -> Graph:
    from profilers.onnx_graph import load_graph
    from profilers.search_spaces import get_space

    return load_graph(get_space(architecture.space).to_onnx(architecture))


def _stored(client: "Client", row: Mapping[str, Any]) -> MeasuredGraph:
    from profilers.onnx_graph import load_graph

    graph = load_graph(client.model(row["graph"]))
    name = f"{row['space']}/{row['text']}" if row["space"] else f"graph {row['graph'][:15]}"
    return MeasuredGraph(name=name, family="", latency_ms=row["median_ms"], load=lambda: graph)
