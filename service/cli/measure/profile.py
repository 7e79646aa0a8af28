"""`latcast profile`: measure one model on this machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.onnx_files import DeclaredInputs, declared_inputs, read_model, write_model
from latcast.schema import InputError, LatcastError, Measurement, ProfileSettings, to_plain
from service.cli.common import console, parse_pairs
from service.cli.forecast.modules import is_module_name, module_inputs, module_onnx
from service.cli.forecast.networks import NO_SIZES, expanded
from service.cli.measure.steadiness import steadiness
from service.cli.options import (
    MAX_SECONDS,
    BackendOption,
    BackendOptionsOption,
    DimOption,
    InputOption,
    JsonOption,
    ShapeOption,
    SpaceOption,
    ThreadsOption,
    TimeoutOption,
)
from service.cli.remarks import say_remarks
from service.cli.results import deliver, fail_each
from service.cli.shapes import Sizes, parse_curve, refuse_sizes
from service.cli.sizes_of_files import sizes_of_files
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import between, milliseconds

if TYPE_CHECKING:
    from latcast.schema import Device, Graph
    from profilers.feeds import FeedArrays

__all__ = ["profile"]

Profiled = tuple[str, "Device", "Graph", Measurement]
"""Name, machine, graph and measurement of a model."""

DEFAULTS = ProfileSettings()
AS_GIVEN = "as_given"


def profile(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="ONNX files, or torch modules (net.py:Net); with --space, architectures' texts."
        ),
    ],
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    feeds: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Inputs, instead of generated ones.")] = None,
    space: SpaceOption = None,
    backend: BackendOption = DEFAULTS.backend,
    precision: Annotated[
        str | None,
        typer.Option(
            help="What the backend does to the model; where left out nothing: fp32, and as_given for a quantised one."
        ),
    ] = None,
    threads: ThreadsOption = DEFAULTS.threads,
    option: BackendOptionsOption = None,
    processes: Annotated[int, typer.Option(min=1, help="Fresh processes to repeat in.")] = DEFAULTS.processes,
    max_seconds: Annotated[float, MAX_SECONDS] = DEFAULTS.max_seconds,
    timeout: TimeoutOption = DEFAULTS.timeout_s,
    kernels: Annotated[int, typer.Option(min=0, help="How many kernels to list; 0 measures none.")] = 10,
    json_out: JsonOption = None,
) -> None:
    """Measure how long models take on this machine, and what in them takes the time.

    Several models, or several sizes of a symbol, get a row each instead of a report; --json has everything of all.
    Exits with 1 when one could not be measured; the others are all the same.

    \b
    Examples:
      latcast profile model.onnx
      latcast profile model.onnx --shape image=1,3,224,224 --threads 4
      latcast profile encoder.onnx --dim batch=1 --dim seq=128
      latcast profile a.onnx b.onnx --dim batch=1,2,4,8
      latcast profile net.py:Net --input 1,3,224,224
      latcast profile model.onnx --feeds inputs.npz --json result.json
      latcast profile model.onnx --option optimisation=basic --kernels 30
      latcast profile --space nasbench201 \\
        '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|'
    """
    settings = ProfileSettings(
        backend=backend,
        precision=precision or DEFAULTS.precision,
        threads=threads,
        options=parse_pairs(option or [], "--option"),
        processes=processes,
        max_seconds=max_seconds,
        timeout_s=timeout,
        kernels=kernels > 0,
    )
    curve = parse_curve(shape, dim)
    models = models if space else expanded(models)
    inputs = module_inputs([] if space else models, input_shape or [])
    asked = [(model, sizes) for model, fitting in _points(models, curve, space=space) for sizes in fitting]
    run = partial(_profiled, space=space, inputs=inputs, feeds=feeds, settings=settings, chosen=precision is not None)
    if len(asked) > 1:
        _profile_all(run, asked, json_out)
        return
    name, device, graph, measurement = run(*asked[0])
    _show(name, device, graph, measurement, kernels=kernels, json_out=json_out)
    if measurement.failure:
        raise LatcastError(_failure(measurement))


def _points(
    models: Sequence[str], curve: Sequence[Sizes], *, space: str | None
) -> Iterator[tuple[str, Sequence[Sizes]]]:
    """Each model with the sizes that it is measured at; only those of ONNX files are open."""
    files = [model for model in models if space is None and not is_module_name(model)]
    if not files:
        refuse_sizes(curve[0])
    points = iter(sizes_of_files(curve, [(file, _declared(file)) for file in files]))
    for model in models:
        yield model, next(points) if model in files else [NO_SIZES]


def _declared(model: str) -> DeclaredInputs | None:
    try:
        return declared_inputs(read_model(model))
    except InputError:  # it is said in its turn, and spoils no other
        return None


def _profiled(
    model: str,
    sizes: Sizes,
    *,
    space: str | None,
    inputs: Sequence[tuple[int, ...]],
    feeds: Path | None,
    settings: ProfileSettings,
    chosen: bool,
) -> Profiled:
    from profilers.host.private_folder import PrivateFolder
    from profilers.timing.sandbox import no_room

    try:
        with PrivateFolder() as folder:
            content, graph = _model(model, space, inputs, sizes, folder)
            settings = settings if chosen else _as_named(settings, graph)
            device, measurement = _measure(content, graph, settings, _feeds(feeds, graph))
    except OSError as error:
        raise LatcastError(no_room(error)) from error
    name = model if space else Path(model).name
    return f"{name} ({sizes.label})" if sizes.label else name, device, graph, measurement


def _as_named(settings: ProfileSettings, graph: "Graph") -> ProfileSettings:
    """The settings of a model that runs as it is: it is not called fp32 where it is quantised."""
    from profilers.backends import get_backend
    from profilers.onnx_graph.remarks import number_type

    quantised = number_type(graph) and AS_GIVEN in get_backend(settings.backend).precisions
    return replace(settings, precision=AS_GIVEN) if quantised else settings


def _failure(measurement: Measurement) -> str:
    failure = measurement.failure
    return f"{failure.message} (stage: {failure.stage})" if failure else ""


def _profile_all(
    run: Callable[[str, Sizes], Profiled], asked: Sequence[tuple[str, Sizes]], json_out: str | None
) -> None:
    """Measure one after the other, and print a row for each; one that fails spoils no other."""
    documents: list[dict[str, Any]] = []
    rows, failures = [], []
    for model, sizes in asked:
        try:
            name, device, graph, measurement = run(model, sizes)
        except InputError as error:
            name, problem = model, str(error)
            documents.append({"name": name, "error": problem})
        else:
            problem = _failure(measurement)
            documents.append(_document(name, device, graph, measurement))
            rows.append((name, measurement))
        failures += [(name, problem)] if problem else []
    remarks = [(one["name"], one["graph"]["remarks"]) for one in documents if "graph" in one]
    deliver(documents, json_out, lambda: print_rows(rows, remarks))
    fail_each(failures)


def print_rows(rows: Sequence[tuple[str, Measurement]], remarks: Sequence[tuple[str, Sequence[str]]] = ()) -> None:
    """Print a row for each measurement that has samples, and the remarks on the models; nothing where none has."""
    taken = [(name, one, one.summary) for name, one in rows if one.summary is not None]
    if not taken:
        return
    labels = [one.target.label for _, one in rows]
    mixed = [names("target")] if len(set(labels)) > 1 else []
    columns = [names("model"), *mixed, numbers("ms"), numbers("p10 – p90"), numbers("samples"), Column("steadiness")]
    cells = [
        (name, *([one.target.label] if mixed else []), milliseconds(summary.median_ms),
         between(summary.p10_ms, summary.p90_ms), f"{summary.samples:,}",
         steadiness("machine", noisy=one.noisy, after=one.after))
        for name, one, summary in taken
    ]  # fmt: skip
    out = output()
    if not mixed:
        say(labels[0], out, style="bold")
    print_table(columns, cells, out=out)
    say_remarks(remarks, out)


def _model(
    text: str, space: str | None, inputs: Sequence[tuple[int, ...]], sizes: Sizes, folder: Path
) -> "tuple[bytes | Path, Graph]":
    """The model with static shapes, a file in the folder where it is one with weights, and its graph."""
    from profilers.onnx_graph import GraphLoader, bind_shapes

    is_file = space is None and not is_module_name(text)
    content = read_model(text) if is_file else _build(space, text) if space else module_onnx(text, inputs)
    with GraphLoader() as loader:  # a file that crashes its reader is an error of the file, not the end of the command
        graph = loader.load(content, shapes=sizes.shapes or None, dims=sizes.dims or None)
    if not is_file:
        return content, graph
    declared = bind_shapes(content, sizes.shapes, dims=sizes.dims) if sizes.shapes or sizes.dims else None
    path = folder / "model.onnx"
    with path.open("wb") as file:
        write_model(text, file, weights=True, declared=declared)
    return path, graph


def _build(space: str, text: str) -> bytes:
    from profilers.search_spaces import get_space

    search_space = get_space(space)
    return search_space.to_onnx(search_space.parse(text))


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The {what} {str(path)!r} cannot be read: {error.strerror}.") from error


def _feeds(path: Path | None, graph: "Graph") -> "FeedArrays | None":
    from profilers.feeds import load_feeds

    return None if path is None else load_feeds(_read(path, "feeds file"), graph)


def _measure(
    content: bytes | Path, graph: "Graph", settings: ProfileSettings, feeds: "FeedArrays | None"
) -> "tuple[Device, Measurement]":
    from rich.progress import BarColumn, TimeElapsedColumn

    from profilers.host.device import describe_device
    from profilers.timing.sandbox import measure
    from service.cli.progress import DESCRIPTION, bar

    device = describe_device()
    with bar(console, "measuring", BarColumn(), DESCRIPTION, TimeElapsedColumn()) as shown:
        task = shown.add_task("starting", total=1.0)
        measurement = measure(
            content, device=device, settings=settings, feeds=feeds, graph=graph,
            progress=lambda share, what: shown.update(task, completed=share, description=what),
        )  # fmt: skip
    return device, measurement


def _show(
    name: str, device: "Device", graph: "Graph", measurement: Measurement, *, kernels: int, json_out: str | None
) -> None:
    from service.cli.measure.profile_report import print_report

    def show() -> None:
        if measurement.failure is None:
            print_report(name, device, graph, measurement, kernels=kernels)

    deliver(_document(name, device, graph, measurement), json_out, show)


def _document(name: str, device: "Device", graph: "Graph", measurement: Measurement) -> dict[str, Any]:
    """Everything that is known, the summaries included."""
    from profilers.feeds import decided_remarks
    from profilers.onnx_graph.remarks import described, remarks_of

    return {
        "name": name,
        "device": to_plain(device),
        "graph": {
            "hash": graph.hash,
            **described(graph),
            "remarks": [*remarks_of(graph), *decided_remarks(graph, measurement.feeds)],
        },
        "summary": to_plain(measurement.summary),
        "measurement": to_plain(measurement),
    }
