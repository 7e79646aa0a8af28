"""`latcast adapt`: measure a few graphs on targets and adapt the predictor to each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.errors import ConflictError
from latcast.loops.target_names import find_target
from latcast.schema import InputError, JobState
from latcast.schema.counting import counted
from service.cli.common import console, open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, PredictorOption, ServerOption
from service.cli.progress import ended, first_target, follow, follow_all, left_out_error
from service.cli.results import deliver, fail_each
from service.cli.tables import output, say

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["adapt"]

Plain = Mapping[str, Any]


def adapt(
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="T",
            help="Id of the target or its beginning, the device's name, or words of both and of the label "
            "('pi openvino bf16'); repeatable; may be left out while one target alone is offered.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many graphs are measured on each.")] = 10,
    sampler: Annotated[
        str, typer.Option(help="Who chooses them: variance, random, quantile, kmeans or reference.")
    ] = "variance",
    space: Annotated[
        list[str] | None, typer.Option(help="Search space to choose from; repeatable. Default: zoo and nasbench201.")
    ] = None,
    graph: Annotated[
        list[str] | None, typer.Option(help="Hash of an uploaded graph to choose from, or its beginning; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random pool.")] = 0,
    predictor: PredictorOption = None,
    wait: Annotated[bool, typer.Option(help="Wait for the service and its first target, and until it is done.")] = True,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Adapt the predictor to a target: its agent measures a few graphs, then forecasts are the target's own.

    Graphs that were measured before are not measured again, and whatever was measured counts, whoever asked for it:
    adapting again makes forecasts better. Afterwards each further measurement is learnt from as it comes.

    An agent has to be running on the device, unless the target was imported: then rows of its table are taken, so that
    it answers as a device would of which no more is known. Interrupting only stops the waiting, not the job.

    Several targets are adapted at once: their agents measure side by side, and the service adapts as many at a time as
    it has processes for (LATCAST_JOB_PROCESSES). Exits with 1 when one of them failed; the others are all the same.

    \b
    Examples:
      latcast adapt
      latcast adapt --target 3f0c --samples 20 --space nasbench201
      latcast adapt --target 3f0c --predictor boosted_trees
      latcast adapt --target pixel3 --target fpga --target eyeriss
    """
    pool = {name: value for name, value in (("space", space), ("graphs", graph)) if value}
    asked: dict[str, Any] = {"samples": samples, "sampler": sampler, "pool": pool, "seed": seed}
    asked |= {} if predictor is None else {"predictor": predictor}
    with open_client(server, key) as client:
        if target is not None and len(target) > 1:
            _adapt_all(client, target, asked, wait=wait, json_out=json_out)
        else:
            _adapt_one(client, target[0] if target else None, asked, wait=wait, json_out=json_out)


def _adapt_one(
    client: "Client", wanted: str | None, asked: dict[str, Any], *, wait: bool, json_out: str | None
) -> None:
    spaces = asked["pool"].get("space", [])
    registered = (
        first_target(client, wanted, console, spaces=spaces)
        if wait
        else find_target(client.targets(), wanted, spaces=spaces)
    )
    job = client.adapt(registered["id"], **asked)
    if not wait:
        deliver(job, json_out, lambda: say(job["id"], output()))
        return
    doing = "adapting to" if registered["origin"] else "measuring"
    what = f"{doing} {counted(asked['samples'], 'network')} on {registered['device_name']}"
    done = follow(client, job["id"], what=what, console=console)
    warning = _warning(client, registered)

    def show() -> None:
        say(_sentence(registered, done["result"]), output())
        if warning:
            say(warning, output(), style="yellow")

    deliver(done, json_out, show)


def _adapt_all(
    client: "Client", wanted: Sequence[str], asked: dict[str, Any], *, wait: bool, json_out: str | None
) -> None:
    listed = client.targets()
    spaces = asked["pool"].get("space", [])
    registered = {found["id"]: found for found in (find_target(listed, one, spaces=spaces) for one in wanted)}
    jobs: dict[str, Plain] = {}
    problems: list[tuple[str, str]] = []
    for target_id, found in registered.items():
        try:
            jobs[client.adapt(target_id, **asked)["id"]] = found
        except (ConflictError, InputError) as error:
            problems.append((found["device_name"], str(error)))
    if not wait:
        deliver([{"id": job_id} for job_id in jobs], json_out, lambda: _print_all(jobs))
        fail_each(problems)
        return
    finished: list[Plain] = []

    def on_done(job: dict[str, Any]) -> None:
        finished.append(job)
        found = jobs[job["id"]]
        if job["state"] != JobState.DONE:
            problems.append((found["device_name"], ended(job)))
        elif json_out != "-":
            say(_sentence(found, job["result"]), output())
            if warning := _warning(client, found):
                say(f"{found['device_name']}: {warning}", output(), style="yellow")

    what = f"adapting to {counted(len(jobs), 'target')}"
    follow_all(client, list(jobs), what=what, console=console, on_done=on_done)
    deliver(finished, json_out, lambda: None)
    fail_each(problems)


def _print_all(job_ids: Iterable[str]) -> None:
    for job_id in job_ids:
        say(job_id, output())


def _warning(client: "Client", registered: Plain) -> str | None:
    warning: str | None = (client.target(registered["id"])["adaptation"] or {}).get("warning")
    return warning


def _sentence(registered: Plain, result: dict[str, Any]) -> str:
    return (
        f"Adapted {registered['device_name']} ({registered['label']}) from {counted(result['support'], 'network')} in "
        f"{result['adapt_ms']:,.0f} ms; {left_out_error(result)}."
    )
