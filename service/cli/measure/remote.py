"""`latcast measure`: have networks measured on a target of the service."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.items import item
from latcast.loops.target_names import find_target
from latcast.schema import JobState, LatcastError
from service.cli.common import console, open_client
from service.cli.fleet.uploads import Uploaded, upload_all
from service.cli.forecast.network_files import networks_of
from service.cli.forecast.networks import Network
from service.cli.measure.steadiness import steadiness
from service.cli.options import (
    DEFAULT_SERVER,
    MAX_SECONDS,
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
from service.cli.progress import ended, follow_all
from service.cli.remarks import say_remarks
from service.cli.results import deliver, fail_each
from service.cli.shapes import parse_curve
from service.cli.tables import Column, echo, names, numbers, output, print_table, say
from service.cli.units import between, milliseconds

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["measure"]

Result = dict[str, Any]


def measure(
    networks: NetworksArgument = None,
    file: FileOption = None,
    target: TargetOption = None,
    space: SpaceOption = None,
    graph: GraphOption = False,
    references: Annotated[
        bool, typer.Option("--references", help="The ten networks by which `help` and `maple` describe a device, too.")
    ] = False,
    shape: ShapeOption = None,
    dim: DimOption = None,
    input_shape: InputOption = None,
    processes: Annotated[int | None, typer.Option(min=1, max=20, help="Fresh processes to repeat in.")] = None,
    max_seconds: Annotated[float | None, MAX_SECONDS] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the results; else print the jobs' ids.")] = True,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Measure networks on a target of the service: they are uploaded, its agent measures them, the answer comes here.

    `latcast profile` measures on this machine, without a service. Interrupting only stops the waiting: see
    `latcast jobs`. Exits with 1 when a network could not be measured; the others are all the same.

    \b
    Examples:
      latcast measure model.onnx --shape x=1,3,224,224
      latcast measure encoder.onnx --target 'pi onnxruntime' --dim batch=1,4 \\
        --dim seq=128
      latcast measure --file manifest.jsonl --no-wait
      latcast measure --references --target pi
    """
    asked = _references() if references else []
    if networks or file or not references:
        asked += networks_of(
            networks or [], file, space=space, graph=graph, curve=parse_curve(shape, dim), inputs=input_shape or []
        )
    settings = {"processes": processes, "max_seconds": max_seconds}
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target)
        results = _submitted(client, registered["id"], asked, {k: v for k, v in settings.items() if v is not None})
        if wait:
            _collect(client, results, on=registered["device_name"])
    items = [{**network.described(), **result} for network, result in zip(asked, results, strict=True)]
    deliver(
        {"target": registered["id"], "items": items},
        json_out,
        lambda: _print(asked, results, target=registered) if wait else _print_jobs(results),
    )
    fail_each((one.label, result["error"]) for one, result in zip(asked, results, strict=True) if "error" in result)


def _references() -> list[Network]:
    from profilers.search_spaces.zoo.references import reference_networks

    return [Network(name=one.text, item=item(space=one.space, text=one.text)) for one in reference_networks()]


def _submitted(client: "Client", target: str, asked: Sequence[Network], settings: Mapping[str, Any]) -> list[Result]:
    """What is known of each network when its job has been made: `graph` and `job`, or `error`."""
    results = [_result(uploaded) for uploaded in upload_all(client, asked)]
    graphs = [result["graph"] for result in results if "graph" in result]
    jobs = iter(client.profile(target, graphs=graphs, settings=settings) if graphs else [])
    for result in results:
        if "graph" in result:
            result["job"] = next(jobs)["id"]
    return results


def _result(uploaded: Uploaded) -> Result:
    if isinstance(uploaded, LatcastError):
        return {"error": str(uploaded)}
    told = {"precision": uploaded.get("precision", ""), "remarks": uploaded.get("remarks", [])}
    return {"graph": uploaded["hash"], **told}


def _collect(client: "Client", results: Sequence[Result], *, on: str) -> None:
    """Wait for the jobs, and put into each result what came of it."""
    by_job: dict[str, list[Result]] = {}
    for result in results:
        if "job" in result:
            by_job.setdefault(result["job"], []).append(result)

    def on_done(job: dict[str, Any]) -> None:
        found = _outcome(client, job)
        for result in by_job[job["id"]]:
            result.update(found)

    follow_all(client, list(by_job), what=f"measuring on {on}", console=console, on_done=on_done)


def _outcome(client: "Client", job: Mapping[str, Any]) -> Result:
    if job["state"] != JobState.DONE:
        return {"error": ended(dict(job))}
    measurement_id = job["result"]["measurement_id"]
    measurement = client.measurement(measurement_id)
    if (summary := measurement.summary) is None:
        return {"error": measurement.failure.message if measurement.failure else "no sample was taken."}
    return {
        "measurement": measurement_id,
        "latency_ms": summary.median_ms,
        "p10_ms": summary.p10_ms,
        "p90_ms": summary.p90_ms,
        "samples": summary.samples,
        "process_spread": summary.process_spread,
        "noisy": measurement.noisy,
        "steadiness": steadiness("device", noisy=measurement.noisy, after=measurement.after),
    }


def _print(asked: Sequence[Network], results: Sequence[Result], *, target: Mapping[str, Any]) -> None:
    out = output()
    say(f"{target['device_name']} · {target['label']}", out, style="bold")
    columns = [names("network"), numbers("ms"), numbers("p10 – p90"), numbers("samples"), Column("steadiness")]
    print_table(columns, [(one.label, *_cells(result)) for one, result in zip(asked, results, strict=True)], out=out)
    say_remarks([(one.name, result.get("remarks", ())) for one, result in zip(asked, results, strict=True)], out)


def _cells(result: Result) -> tuple[str, ...]:
    if "error" in result:
        return "", "", "", "error"
    spread = between(result["p10_ms"], result["p90_ms"])
    return milliseconds(result["latency_ms"]), spread, f"{result['samples']:,}", result["steadiness"]


def _print_jobs(results: Sequence[Result]) -> None:
    for result in results:
        if "job" in result:
            echo(result["job"])
