"""`latcast adapt`: measure a few graphs on a target and adapt the predictor to it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from latcast.loops.target_names import find_target
from latcast.schema.counting import counted
from service.cli.common import console, open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, PredictorOption, ServerOption, TargetOption
from service.cli.progress import first_target, follow, left_out_error
from service.cli.results import deliver
from service.cli.tables import output, say

__all__ = ["adapt"]


def adapt(
    target: TargetOption = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many graphs are measured.")] = 10,
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

    \b
    Examples:
      latcast adapt
      latcast adapt --target 3f0c --samples 20 --space nasbench201
      latcast adapt --target 3f0c --predictor boosted_trees
    """
    pool = {name: value for name, value in (("space", space), ("graphs", graph)) if value}
    with open_client(server, key) as client:
        registered = first_target(client, target, console) if wait else find_target(client.targets(), target)
        named: dict[str, Any] = {} if predictor is None else {"predictor": predictor}
        job = client.adapt(registered["id"], samples=samples, sampler=sampler, pool=pool, seed=seed, **named)
        if not wait:
            _tell(job["id"], job, json_out)
            return
        doing = "adapting to" if registered["origin"] else "measuring"
        what = f"{doing} {counted(samples, 'network')} on {registered['device_name']}"
        done = follow(client, job["id"], what=what, console=console)
        warning = (client.target(registered["id"])["adaptation"] or {}).get("warning")
    result = done["result"]
    sentence = (
        f"Adapted {registered['device_name']} ({registered['label']}) from {counted(result['support'], 'network')} in "
        f"{result['adapt_ms']:,.0f} ms; {left_out_error(result)}."
    )
    _tell(sentence, done, json_out, warning=warning)


def _tell(sentence: str, job: Mapping[str, Any], json_out: str | None, *, warning: str | None = None) -> None:
    def show() -> None:
        say(sentence, output())
        if warning:
            say(warning, output(), style="yellow")

    deliver(job, json_out, show)
