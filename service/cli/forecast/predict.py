"""`latcast predict`: forecasts from the service."""

from collections.abc import Mapping, Sequence
from typing import Any

from latcast.loops.target_names import find_target
from service.cli.common import console, open_client
from service.cli.forecast.network_files import networks_of
from service.cli.forecast.networks import Network, predict_all
from service.cli.options import (
    DEFAULT_SERVER,
    DimOption,
    FileOption,
    GraphOption,
    InputOption,
    JsonOption,
    KeyOption,
    LevelOption,
    NetworksArgument,
    PredictorOption,
    ServerOption,
    ShapeOption,
    SpaceOption,
    TargetOption,
)
from service.cli.progress import bar
from service.cli.remarks import say_remarks, warnings_of
from service.cli.results import deliver, fail_each
from service.cli.shapes import parse_curve
from service.cli.tables import Cell, Column, names, numbers, output, print_table, say
from service.cli.units import between, milliseconds

__all__ = ["predict"]


def predict(
    networks: NetworksArgument = None,
    file: FileOption = None,
    target: TargetOption = None,
    space: SpaceOption = None,
    graph: GraphOption = False,
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    level: LevelOption = 0.9,
    predictor: PredictorOption = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Forecast how long networks take on a target: median and interval in ms.

    Several sizes of a symbol, as in --dim batch=1,2,4,8, give a curve: a row for each, with how many of them the target
    does in a second. Exits with 1 when a network could not be forecast; the others are answered all the same.

    \b
    Examples:
      latcast predict model.onnx --shape x=1,3,224,224
      latcast predict encoder.onnx --dim batch=1,2,4,8 --dim seq=128
      latcast predict net.py:Net --input 1,3,224,224
      latcast predict --target 'openvino bf16' --file manifest.jsonl \\
        --json forecasts.json
      latcast predict --target 3f0c --space nasbench201 --file texts.txt
      latcast predict --target 3f0c --space nasbench201 \\
        '|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|'
    """
    curve = parse_curve(shape, dim)
    asked = networks_of(networks or [], file, space=space, graph=graph, curve=curve, inputs=input_shape or [])
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target, spaces=[space] if space else [])
        answers = _ask(client, registered["id"], asked, level, predictor)
    items = [{**network.described(), **answer} for network, answer in zip(asked, answers, strict=True)]
    document = {"target": registered["id"], "level": level, "items": items}
    deliver(document, json_out, lambda: _print(asked, answers, target=registered, level=level))
    fail_each((one.label, answer["error"]["detail"]) for one, answer in zip(asked, answers, strict=True)
              if "error" in answer)  # fmt: skip


def _ask(
    client: Any, target: str, asked: Sequence[Network], level: float, predictor: str | None
) -> list[dict[str, Any]]:
    with bar(console) as progress:
        task = progress.add_task("forecasting", total=len(asked))
        return predict_all(
            client,
            target,
            asked,
            level=level,
            predictor=predictor,
            on_answers=lambda count: progress.update(task, advance=count),
        )


def _print(
    asked: Sequence[Network], answers: Sequence[Mapping[str, Any]], *, target: Mapping[str, Any], level: float
) -> None:
    varied = list(dict.fromkeys(symbol for network in asked for symbol in network.sizes.varied))
    rate = [numbers(f"{'×'.join(varied)}/s")] if varied else []
    interval = numbers(f"{level * 100:.3g} % interval")
    source = names("source") if varied else Column("source")  # a curve's figures fill 80 columns
    columns = [names("network"), *map(numbers, varied), numbers("ms"), interval, *rate, numbers("known"), source]
    rows = [
        (network.name, *_sizes(network, varied), *_cells(answer, network if varied else None))
        for network, answer in zip(asked, answers, strict=True)
    ]
    out = output()
    say(f"{target['device_name']} · {target['label']}", out, style="bold")
    print_table(columns, rows, out=out)
    say_remarks([(one.name, answer.get("remarks", ())) for one, answer in zip(asked, answers, strict=True)], out)
    say_remarks([("", warnings_of(answer)) for answer in answers], out)


def _sizes(network: Network, varied: Sequence[str]) -> list[str]:
    return [str(network.sizes.dims.get(symbol, "")) for symbol in varied]


def _cells(answer: Mapping[str, Any], varied: Network | None) -> list[Cell]:
    if "error" in answer:
        return ["", "", *([""] if varied else []), "", "error"]
    interval = answer["interval_ms"]
    return [
        milliseconds(answer["latency_ms"]),
        between(*interval) if interval else "no claim",
        *([_rate(answer["latency_ms"], varied)] if varied else []),
        f"{answer['coverage']:.0%}",
        _source(answer),
    ]


def _source(answer: Mapping[str, Any]) -> str:
    """Measured, predicted, or what a forecast lacks."""
    if answer["adapted"]:
        return str(answer["source"])
    return "carried over" if str(answer.get("predictor")).startswith("carried:") else "predicted, not adapted"


def _rate(latency_ms: float, network: Network) -> str:
    """How many elements of the varied dimensions go through in a second."""
    if not network.sizes.varied:
        return ""
    rate = network.sizes.elements / latency_ms * 1000
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
