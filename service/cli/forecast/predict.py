"""`latcast predict`: forecasts from the service."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from service.cli.common import (
    DEFAULT_SERVER,
    DimOption,
    KeyOption,
    ServerOption,
    ShapeOption,
    TargetOption,
    find_target,
    open_client,
    write_json,
)
from service.cli.forecast.networks import GraphOption, SpaceOption, item_of
from service.cli.shapes import parse_sizes
from service.cli.tables import Column, echo, names, numbers, output, print_table, say

__all__ = ["predict"]


def predict(
    networks: Annotated[
        list[str],
        typer.Argument(metavar="NETWORK…", help="ONNX files; with --space, architecture texts; with --graph, hashes."),
    ],
    target: TargetOption = None,
    space: SpaceOption = None,
    graph: GraphOption = False,
    shape: ShapeOption = None,
    dim: DimOption = None,
    level: Annotated[float, typer.Option(min=0.01, max=0.999, help="Probability that the interval holds.")] = 0.9,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: Annotated[
        str | None, typer.Option("--json", metavar="OUT", help="Write JSON; - is standard output.")
    ] = None,
) -> None:
    """Forecast how long networks take on a target: median and interval in ms.

    Exits with 1 when a network could not be forecast; the others are answered all the same.

    \b
    Examples:
      latcast predict model.onnx --shape x=1,3,224,224
      latcast predict encoder.onnx --dim batch=1 --dim seq=128
      latcast predict --target 3f0c --space nasbench201 \\
        '|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|'
    """
    sizes = parse_sizes(shape, dim)
    items = [item_of(network, space=space, graph=graph, sizes=sizes) for network in networks]
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target)
        answers = client.predict(registered["id"], items, level=level)
    if json_out is not None:
        write_json({"target": registered["id"], "level": level, "items": answers}, json_out)
    else:
        _print(networks, answers, target=registered, level=level)
    problems = [(name, answer["error"]) for name, answer in zip(networks, answers, strict=True) if "error" in answer]
    for name, problem in problems:
        echo(f"latcast: {name}: {problem['detail']}", err=True)
    if problems:
        raise typer.Exit(1)


def _print(
    networks: Sequence[str], answers: Sequence[Mapping[str, Any]], *, target: Mapping[str, Any], level: float
) -> None:
    interval = numbers(f"{level * 100:.3g} % interval")
    columns = [names("network"), numbers("ms"), interval, numbers("known"), Column("source")]
    rows = [(network, *_cells(answer)) for network, answer in zip(networks, answers, strict=True)]
    out = output()
    say(f"{target['device_name']} · {target['label']}", out, style="bold")
    print_table(columns, rows, out=out)


def _cells(answer: Mapping[str, Any]) -> tuple[str, ...]:
    if "error" in answer:
        return "", "", "", "error"
    interval = answer["interval_ms"]
    return (
        f"{answer['latency_ms']:.3f}",
        f"{interval[0]:.3f} – {interval[1]:.3f}" if interval else "no claim",
        f"{answer['coverage']:.0%}",
        answer["source"] if answer["adapted"] else "predicted, not adapted",
    )
