"""`latcast explain`: why a forecast is what it is, and what would make it surer."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.errors import UnavailableError
from latcast.loops.target_names import find_target
from latcast.schema import InputError
from service.cli.common import console, open_client
from service.cli.forecast.explanation_report import print_explanation
from service.cli.forecast.network_files import networks_of
from service.cli.forecast.networks import Network
from service.cli.options import (
    DEFAULT_SERVER,
    DatasetOption,
    DimOption,
    GraphOption,
    InputOption,
    JsonOption,
    KeyOption,
    ShapeOption,
    SpaceOption,
    TargetOption,
)
from service.cli.results import deliver
from service.cli.shapes import parse_sizes
from service.cli.tables import output

if TYPE_CHECKING:
    from predictors.base import Query
    from service.cli.forecast.local_targets import LocalTarget
    from service.forecasting.types import ExplainedForecast

__all__ = ["explain"]

POOL_SPACE = "zoo"
_GIVEN = ("COMMANDLINE", "ENVIRONMENT")


def explain(
    ctx: typer.Context,
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="An ONNX file, or a torch module (net.py:Net); with --space an architecture's text; with --graph a "
            "hash, or its beginning.",
        ),
    ],
    target: TargetOption = None,
    space: SpaceOption = None,
    graph: GraphOption = False,
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    predictor: Annotated[
        str | None,
        typer.Option(help="Kind, a shipped artifact's name, or its file. The house predictor where left out."),
    ] = None,
    data: DatasetOption = Path("benchmarks/data"),
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            envvar="LATCAST_SERVER",
            metavar="URL",
            help=f"Service whose forecast is explained; {DEFAULT_SERVER} where one with targets answers there, unless "
            "--data or --predictor is given.",
        ),
    ] = None,
    key: KeyOption = None,
    kernels: Annotated[int, typer.Option(min=1, help="How many kernels to list.")] = 15,
    nearest: Annotated[
        int, typer.Option(min=0, max=50, help="How many measured networks, and proposals, to list.")
    ] = 5,
    json_out: JsonOption = None,
) -> None:
    """Explain a forecast: its kernels, networks like it that were measured, and what to measure next.

    Each kernel has its share, its work, and its place on the target's roofline: bound by arithmetic, by memory, or by
    being launched. With a service it is the forecast that `latcast predict` prints. Without one, or with --data or
    --predictor, the forecast is made here: for a target of the measured data set, or for this machine by the predictor
    as it is shipped.

    \b
    Examples:
      latcast explain model.onnx --shape x=1,3,224,224
      latcast explain encoder.onnx --dim batch=1 --dim seq=128
      latcast explain net.py:Net --input 1,3,224,224
      latcast explain model.onnx --target 'onnxruntime fp32 1 optimisation=all'
      latcast explain model.onnx --server http://127.0.0.1:8321 --target 3f0c \\
        --json why.json
    """
    sizes = parse_sizes(shape, dim)
    if server is not None and predictor is not None:
        raise InputError("--predictor is for explanations without a service; --server explains its forecasts.")
    listed: Sequence[Mapping[str, Any]] = ()
    if server is None and not any(_is_given(ctx, name) for name in ("data", "predictor")):
        listed = _targets_of_the_usual(key)
        server = DEFAULT_SERVER if listed else None
    if server is None and graph:
        raise InputError("--graph names a graph of a service: name the service with --server.")
    with console.status("explaining"):
        (asked,) = networks_of([network], None, space=space, graph=graph, curve=[sizes], inputs=input_shape or [])
        if server is not None:
            explained = _by_service(server, key, target, asked.item, nearest, listed)
        else:
            explained = _by_this_process(asked, target, predictor, data, nearest)
    document = {"model": network if space or graph else Path(network).name, **explained}
    document["measure_with"] = _commands(document["measure_next"], document["target"]["id"], server)
    deliver(document, json_out, lambda: print_explanation(document, kernels=kernels, out=output()))


def _is_given(ctx: typer.Context, option: str) -> bool:
    source = ctx.get_parameter_source(option)
    return source is not None and source.name in _GIVEN


def _targets_of_the_usual(key: str | None) -> Sequence[Mapping[str, Any]]:
    """The targets of the service at the usual address; none where nobody answers there.

    Raises:
        LatcastError: a service answers, but not this caller: `latcast predict` is refused, too.
    """
    with open_client(DEFAULT_SERVER, key) as client:
        try:
            return client.targets()
        except UnavailableError:
            return ()


def _commands(proposals: Sequence[Mapping[str, Any]], target: str, server: str | None) -> list[str]:
    """Commands to copy that measure the proposed networks: on the service's target, or on this machine without one."""
    if server is None:
        return [f"latcast profile --space {shlex.quote(one['space'])} {shlex.quote(one['text'])}" for one in proposals]
    by_space: dict[str, list[str]] = {}
    for one in proposals:
        by_space.setdefault(one["space"], []).append(shlex.quote(one["text"]))
    address = "" if server == DEFAULT_SERVER else f"--server {shlex.quote(server)} "
    return [
        f"latcast measure {address}--target {shlex.quote(target)} --space {shlex.quote(space)} {' '.join(texts)}"
        for space, texts in by_space.items()
    ]


def _by_service(
    server: str,
    key: str | None,
    wanted: str | None,
    item: Mapping[str, Any],
    nearest: int,
    listed: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The service's explanation; `listed` are its targets where they were asked for already."""
    with open_client(server, key) as client:
        registered = find_target(listed or client.targets(), wanted, spaces=[item["space"]] if "space" in item else [])
        explained = client.explain(registered["id"], item, nearest=nearest)
    target = {"id": registered["id"], "label": registered["label"], "device": registered["device_name"]}
    return {**explained, "target": target}


def _by_this_process(
    network: Network, wanted: str | None, predictor: str | None, data: Path, nearest: int
) -> dict[str, Any]:
    from service.forecasting.explanation import plain

    local = _local_target(wanted, predictor, data)
    explained = _explained(local, _query(network, local), nearest)
    target = {"id": local.target.id, "label": local.target.label, "device": local.device}
    return {"target": target, **plain(explained)}


def _local_target(wanted: str | None, predictor: str | None, data: Path) -> "LocalTarget":
    from predictors.data.measured import ROWS_FILE, read_measured
    from predictors.evaluation.onnx import DEFAULT_PREDICTOR, trained
    from service.cli.forecast.local_targets import target_of_data, this_machine

    base = trained(predictor or DEFAULT_PREDICTOR, lambda: read_measured(data))
    if (data / ROWS_FILE).exists():
        return target_of_data(data, wanted, base)
    if wanted is not None:
        raise InputError(f"There is no measured data set in {str(data)!r} that could have the target {wanted!r}: name "
                         "its folder with --data, or a service with --server.")  # fmt: skip
    return this_machine(base)


OWN_MODELS = 4
"""A model of one's own may take so much more than one that somebody sends to a service."""


def _query(network: Network, local: "LocalTarget") -> "Query":
    from predictors.base import Query
    from predictors.features.kernels.table import KERNEL_NAMES
    from predictors.foreign.reader import ForeignReader, read_query
    from profilers.onnx_graph.isolated.pool import MEMORY_BYTES, ForeignModel
    from profilers.search_spaces import get_space

    if (content := network.model) is None:
        architecture = get_space(network.item["space"]).parse(network.item["text"])
        return Query(target=local.target, architecture=architecture)
    model = ForeignModel(content=content, shapes=network.sizes.shapes or None, dims=network.sizes.dims or None)
    with ForeignReader(workers=1, memory_bytes=OWN_MODELS * MEMORY_BYTES) as reader:
        return read_query(reader, model, predictor=local.predictor, target=local.target, also=[KERNEL_NAMES])


def _remarks(query: "Query") -> tuple[str, ...]:
    """What people should know of a model; of an architecture's there is nothing to say."""
    from predictors.networks import GraphFeatures

    network = query.network if query.architecture is None else None
    return network.remarks if isinstance(network, GraphFeatures) else ()


def _explained(local: "LocalTarget", query: "Query", nearest: int) -> "ExplainedForecast":
    """The explanation of a forecast that is made here.

    Raises:
        InputError: the predictor does not forecast by kernel.
    """
    from predictors.base import Query
    from predictors.explanation import explain as explanation_of
    from service.forecasting.explanation import candidates, neighbours, pool, proposals
    from service.forecasting.types import ExplainedForecast, Forecast

    predictor, target = local.predictor, local.target
    explanation = explanation_of(predictor, query)
    forecast = Forecast(
        latency_ms=explanation.latency_ms,
        interval_ms=explanation.interval_ms,
        source="predicted",
        coverage=explanation.coverage,
        adapted=False,
        kind=predictor.kind,
        unknown_operators=explanation.unknown_operators,
        remarks=_remarks(query),
        descriptor=predictor.device_descriptor(),
    )
    if not nearest:
        return ExplainedForecast(forecast=forecast, explanation=explanation)
    close = [
        (network, Query(target=target, architecture=network.architecture))
        for network in candidates(local.measured, explanation.latency_ms)
    ]
    asked = [Query(target=target, architecture=architecture) for architecture in pool(POOL_SPACE)]
    alike = neighbours(predictor, explanation, close)
    # What can be built and read: of the others the latencies say nothing that the predictor could use.
    readable = {neighbour.name for neighbour in alike}
    measured = [asked_about for network, asked_about in close if network.name in readable]
    return ExplainedForecast(
        forecast=forecast,
        explanation=explanation,
        nearest=tuple(alike[:nearest]),
        measure_next=tuple(proposals(predictor, query, asked, measured, most=nearest)),
    )
