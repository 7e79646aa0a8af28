"""`latcast check`: a gate for continuous integration, on forecast latencies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from latcast.loops.target_names import find_target
from service.cli.common import open_client
from service.cli.forecast.junit import Case, junit_xml
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
    NetworksArgument,
    ServerOption,
    ShapeOption,
    SpaceOption,
    TargetOption,
)
from service.cli.remarks import say_remarks, warnings_of
from service.cli.results import deliver, fail_each, writable, write_text
from service.cli.shapes import parse_curve
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import duration, milliseconds

__all__ = ["check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of a network.

    Args:
        network: that was asked about.
        answer: of the service.
        bound_ms: latency that it stays below with the probability asked for; None where there is no answer.
        problem: why it does not pass; empty where it does.
    """

    network: Network
    answer: Mapping[str, Any]
    bound_ms: float | None
    problem: str

    def plain(self) -> dict[str, Any]:
        """The verdict as JSON."""
        passed = {"passed": not self.problem, "bound_ms": self.bound_ms, "problem": self.problem or None}
        return {**self.network.described(), **passed, **self.answer}


def check(
    networks: NetworksArgument = None,
    *,
    limit_ms: Annotated[float, typer.Option("--limit-ms", min=0.0, help="Latency that no network may exceed, in ms.")],
    probability: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="How sure it has to be that the latency is within the limit.")
    ] = 0.9,
    file: FileOption = None,
    target: TargetOption = None,
    space: SpaceOption = None,
    graph: GraphOption = False,
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    junit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.xml", help="Write the verdicts as JUnit XML, which CI systems show.", callback=writable
        ),
    ] = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Check that networks stay within a latency on a target: exits with 1 when one does not, or cannot be forecast.

    A network passes when its latency is within the limit with the probability: the upper end of the interval whose
    tails hold the rest counts, not the median. One that was measured on the target is judged by its measurement.

    \b
    Examples:
      latcast check model.onnx --target 'pi onnxruntime' --limit-ms 20 \\
        --probability 0.9
      latcast check --file manifest.jsonl --limit-ms 33 --junit latency.xml
    """
    asked = networks_of(
        networks or [], file, space=space, graph=graph, curve=parse_curve(shape, dim), inputs=input_shape or []
    )
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target, spaces=[space] if space else [])
        answers = predict_all(client, registered["id"], asked, level=max(2 * probability - 1, 0.001))
    verdicts = [
        _verdict(network, answer, limit_ms, probability) for network, answer in zip(asked, answers, strict=True)
    ]
    document = {
        "target": registered["id"], "limit_ms": limit_ms, "probability": probability,
        "items": [one.plain() for one in verdicts],
    }  # fmt: skip
    deliver(document, json_out, lambda: _print(verdicts, registered, limit_ms, probability))
    if junit is not None:
        write_text(junit_xml("latcast check", [_case(one, registered) for one in verdicts]), str(junit))
    fail_each((one.network.label, one.problem) for one in verdicts if one.problem)


def _verdict(network: Network, answer: Mapping[str, Any], limit_ms: float, probability: float) -> Verdict:
    if "error" in answer:
        return Verdict(network=network, answer=answer, bound_ms=None, problem=answer["error"]["detail"])
    bound_ms, problem = _bound(answer, probability), ""
    if bound_ms is None:
        problem = (
            "The forecast has no interval, so that nobody knows how sure it is: run `latcast adapt` on the target."
        )
    elif bound_ms > limit_ms:
        takes = (
            f"{duration(bound_ms)}, as measured"
            if answer["source"] == "measured" and bound_ms == answer["latency_ms"]
            else f"up to {duration(bound_ms)} with a probability of {probability:.3g} ({answer['source']} "
            f"{duration(answer['latency_ms'])})"
        )
        problem = f"It takes {takes}, above the limit of {duration(limit_ms)}."
    return Verdict(network=network, answer=answer, bound_ms=bound_ms, problem=problem)


def _bound(answer: Mapping[str, Any], probability: float) -> float | None:
    """The latency that is not exceeded with the probability; None where the forecast claims nothing of it."""
    if answer["interval_ms"] is not None and probability > 0.5:
        return float(answer["interval_ms"][1])
    return float(answer["latency_ms"]) if answer["source"] == "measured" or probability == 0.5 else None


def _case(verdict: Verdict, target: Mapping[str, Any]) -> Case:
    return Case(
        name=verdict.network.label,
        group=f"{target['device_name']} {target['label']}",
        seconds=verdict.answer.get("latency_ms", 0.0) / 1000,
        failure=verdict.problem,
        error="error" in verdict.answer,
    )


def _print(verdicts: Sequence[Verdict], target: Mapping[str, Any], limit_ms: float, probability: float) -> None:
    out = output()
    say(f"{target['device_name']} · {target['label']}: within {duration(limit_ms)}", out, style="bold")
    columns = [names("network"), numbers("ms"), numbers(f"at {probability:.3g}"), Column("source"), Column("verdict")]
    rows = [
        (one.network.label, milliseconds(one.answer.get("latency_ms")), milliseconds(one.bound_ms),
         one.answer.get("source", ""), "FAIL" if one.problem else "pass")
        for one in verdicts
    ]  # fmt: skip
    print_table(columns, rows, out=out)
    say_remarks([(one.network.name, one.answer.get("remarks", ())) for one in verdicts], out)
    say_remarks([("", warnings_of(one.answer)) for one in verdicts], out)
