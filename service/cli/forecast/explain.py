"""`latcast explain`: why a forecast is what it is, and what would make it surer."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from latcast.schema import Architecture, InputError, LatcastError
from service.cli.common import KeyOption, ShapeOption, console, find_target, open_client, write_json
from service.cli.forecast.explain_report import print_explanation
from service.cli.forecast.explain_sources import Known, MeasuredGraph, from_data, from_nothing, from_service
from service.cli.shapes import parse_shapes

if TYPE_CHECKING:
    from latcast.schema import Graph
    from predictors.base import Query
    from predictors.explanation import Explanation

__all__ = ["explain"]

CLOSEST = 80
"""Measured graphs, closest in latency in their families, whose kernels are looked at."""
POOL = 60
POOL_SPACE = "zoo"
LONGEST_MS = 500.0
"""Graphs forecast to take longer are not proposed for measuring."""


def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="What to explain the forecast of.")],
    target: Annotated[
        str | None,
        typer.Option(
            "--target", metavar="T", help="Beginning of the target's id, or words of its label, e.g. 'openvino bf16 1'."
        ),
    ] = None,
    shape: ShapeOption = None,
    predictor: Annotated[
        str | None,
        typer.Option(help="Kind, a shipped artifact's name, or its file. The house predictor where left out."),
    ] = None,
    data: Annotated[
        Path, typer.Option(envvar="LATCAST_DATASET", metavar="DIR", help="Measured data set that knows the target.")
    ] = Path("benchmarks/data"),
    server: Annotated[
        str | None,
        typer.Option("--server", envvar="LATCAST_SERVER", metavar="URL", help="Service that knows it, instead."),
    ] = None,
    key: KeyOption = None,
    kernels: Annotated[int, typer.Option(min=1, help="How many kernels to list.")] = 15,
    nearest: Annotated[int, typer.Option(min=0, help="How many measured graphs, and proposals, to list.")] = 5,
    json_out: Annotated[
        str | None, typer.Option("--json", metavar="OUT", help="Write everything as JSON; - prints only that.")
    ] = None,
) -> None:
    """Explain a forecast: its kernels, graphs like it that were measured, and what to measure next.

    Each kernel has its share, its work, and its place on the target's roofline: bound by arithmetic, by memory, or by
    being launched. Without a data set and without a service the forecast is that of the predictor as it is shipped.

    \b
    Examples:
      latcast explain model.onnx --shape x=1,3,224,224
      latcast explain model.onnx --target 'onnxruntime fp32 1 optimisation=all'
      latcast explain model.onnx --server http://127.0.0.1:8321 --json why.json
    """
    from predictors.base import Query
    from predictors.explanation import explain as explained

    graph = _load(model, parse_shapes(shape or []))
    with console.status("reading what is known of the target") as status:
        known = _known(target, predictor, data, server, key)
        query = Query(target=known.target, graph=graph)
        explanation = explained(known.predictor, query)
        status.update("comparing with measured graphs")
        close = _closest(known, explanation) if nearest else []
        status.update("looking for what to measure next")
        proposals = _proposals(known, query, [graph for _, graph in close]) if nearest else []
    neighbours = sorted((one for one, _ in close), key=lambda one: one.distance)[:nearest]
    if json_out is not None:
        write_json(_document(model, known, explanation, neighbours, proposals[:nearest]), json_out)
    if json_out != "-":
        out = Console(highlight=False)
        print_explanation(model.name, known, explanation, neighbours, proposals[:nearest], kernels=kernels, out=out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A measured graph that spends its time alike.

    Args:
        name: for people.
        measured_ms: its latency.
        distance: of the shares of kernels' classes, 0–1.
    """

    name: str
    measured_ms: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A graph that could be measured next.

    Args:
        space: that it is from.
        text: the architecture.
        forecast_ms: how long it would take.
        variance_removed: share of the variance of the forecast's log that measuring it would remove.
    """

    space: str
    text: str
    forecast_ms: float
    variance_removed: float


def _load(path: Path, shapes: dict[str, tuple[int, ...]]) -> "Graph":
    from profilers.onnx_graph import GraphLoader, inline_external_data

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The model {str(path)!r} cannot be read: {error.strerror}.") from error
    with GraphLoader() as loader:
        return loader.load(inline_external_data(content, path.parent), shapes=shapes or None)


def _known(target: str | None, predictor: str | None, data: Path, server: str | None, key: str | None) -> Known:
    from predictors.data.measured import ROWS_FILE, read_measured
    from predictors.evaluation.onnx import DEFAULT_PREDICTOR, trained

    base = trained(predictor or DEFAULT_PREDICTOR, lambda: read_measured(data))
    if server is not None:
        with open_client(server, key) as client:
            return from_service(client, find_target(client.targets(), target), base)
    if (data / ROWS_FILE).exists():
        return from_data(data, target, base)
    if target is not None:
        raise InputError(f"There is no measured data set in {str(data)!r} that could know the target {target!r}: name "
                         "its folder with --data, or a service with --server.")  # fmt: skip
    return from_nothing(base)


def _closest(known: Known, explanation: "Explanation") -> "list[tuple[Neighbour, Graph]]":
    """Measured graphs of about this latency, of all families, with their distance."""
    from predictors.base import Query
    from predictors.explanation import cost_profile, profile_distance

    own, found = explanation.shares("kind"), []
    for measured in _candidates(known.measured, explanation.latency_ms):
        try:
            graph = measured.load()
            profile = cost_profile(known.predictor, Query(target=known.target, graph=graph))
        except LatcastError:
            continue  # its generator has changed since: others are as good
        distance = profile_distance(own, profile)
        found.append((Neighbour(name=measured.name, measured_ms=measured.latency_ms, distance=distance), graph))
    return found


def _candidates(measured: Sequence[MeasuredGraph], latency_ms: float) -> list[MeasuredGraph]:
    """The closest in latency of each family, then the second closest of each, and so on."""
    places: Counter[str] = Counter()
    ranked: list[tuple[int, MeasuredGraph]] = []
    for graph in sorted(measured, key=lambda graph: abs(math.log(graph.latency_ms / latency_ms))):
        ranked.append((places[graph.family], graph))
        places[graph.family] += 1
    return [graph for _, graph in sorted(ranked, key=lambda item: item[0])[:CLOSEST]]


def _proposals(known: Known, query: "Query", measured: "Sequence[Graph]") -> list[Proposal]:
    """Networks of our own zoo, the one that would tell most about the query first."""
    from predictors.base import Query
    from predictors.explanation import measure_next

    pool = _pool(known)
    forecasts = known.predictor.predict(pool).median_ms
    quick = [(asked, float(ms)) for asked, ms in zip(pool, forecasts, strict=True) if ms <= LONGEST_MS]
    queries = [Query(target=known.target, graph=graph) for graph in measured]
    ranked = measure_next(known.predictor, query, [asked for asked, _ in quick], queries)
    return [_proposal(*quick[index], share) for index, share in ranked]


def _pool(known: Known) -> "list[Query]":
    import numpy as np

    from predictors.base import Query
    from profilers.search_spaces import get_space

    rng, space = np.random.default_rng(0), get_space(POOL_SPACE)
    drawn = {architecture.text: architecture for architecture in (space.sample(rng) for _ in range(POOL))}
    return [Query(target=known.target, architecture=architecture) for architecture in drawn.values()]


def _proposal(query: "Query", forecast_ms: float, share: float) -> Proposal:
    architecture = query.architecture
    assert isinstance(architecture, Architecture)  # noqa: S101 - the pool is made of such
    return Proposal(space=architecture.space, text=architecture.text, forecast_ms=forecast_ms, variance_removed=share)


def _document(
    model: Path,
    known: Known,
    explanation: "Explanation",
    neighbours: Sequence[Neighbour],
    proposals: Sequence[Proposal],
) -> dict[str, Any]:
    return {
        "model": model.name,
        "target": {"id": known.target.id, "label": known.target.label, "device": known.device},
        **asdict(explanation),
        "nearest": [asdict(one) for one in neighbours],
        "measure_next": [asdict(one) for one in proposals],
    }
