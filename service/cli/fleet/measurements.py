"""`latcast measurements`: single measurements are listed, taken out of sight and shown again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.loops.target_names import find_target, named_target
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.groups import Group
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption, TargetOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import ago, milliseconds

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["measurements"]

measurements = typer.Typer(
    cls=Group,
    help="List, hide and show measurements. What is hidden teaches nothing, answers nothing and is not exported.",
    no_args_is_help=True,
)
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers of measurements.", min=0)]
Agent = Annotated[
    str | None,
    typer.Option(metavar="AGENT", help="What this agent reported: its id, or the id or name of its device."),
]
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="T", help="What was measured on this target: its id, its beginning, or words of it."
    ),
]
GraphHash = Annotated[
    str | None, typer.Option("--graph", metavar="HASH", help="What was measured of this graph: its hash or beginning.")
]
Since = Annotated[datetime | None, typer.Option(help="Stored at this time or later; of this machine's clock.")]
Until = Annotated[datetime | None, typer.Option(help="Stored at this time or earlier.")]


@measurements.command("list")
def list_measurements(
    target: TargetOption = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Those that are hidden, instead of the others.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """List the measurements of a target, newest first.

    \b
    Examples:
      latcast measurements list --target 'pi onnxruntime'
      latcast measurements list --hidden
    """
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target)
        filters = {"hidden": True} if hidden else {}
        listed = list(islice(client.measurements(registered["id"], **filters), limit))
    deliver(listed, json_out, lambda: _print(listed))


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    out = output()
    if not listed:
        say("There are none.", out)
        return
    rows = [
        (str(one["id"]), one["text"] or one["graph"] or "",
         one["failure_stage"] or milliseconds(one["median_ms"]),
         "noisy" if one["noisy"] else "", ago(one["created_unix_s"]))
        for one in listed
    ]  # fmt: skip
    columns = [numbers("id"), names("network"), numbers("ms"), Column("flag"), Column("stored")]
    print_table(columns, rows, out=out)


@measurements.command("hide")
def hide(
    ids: Ids = None,
    agent: Agent = None,
    target: TargetName = None,
    graph: GraphHash = None,
    since: Since = None,
    until: Until = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Hide the measurements that everything named fits to; `latcast db prune` deletes them later.

    With --agent and without --until the agent is in quarantine: what it reports from now on is hidden as it comes.
    Adaptations that learned from what is hidden end; the newest one that did not answers in their place. Needs an
    admin's key.

    \b
    Examples:
      latcast measurements hide 4711 4712
      latcast measurements hide --agent pi4
      latcast measurements hide --agent pi4 --since 2026-11-03T12:00:00 \\
        --until 2026-11-03T18:00:00
    """
    with open_client(server, key) as client:
        done = client.hide_measurements(**_choice(client, ids, agent, target, graph, since, until))
    deliver(done, json_out, lambda: _say("Hid", done))


@measurements.command("show")
def show(
    ids: Ids = None,
    agent: Agent = None,
    target: TargetName = None,
    graph: GraphHash = None,
    since: Since = None,
    until: Until = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Show hidden measurements again, those that everything named fits to; ends the quarantine of --agent.

    \b
    Example:
      latcast measurements show --agent pi4
    """
    with open_client(server, key) as client:
        done = client.show_measurements(**_choice(client, ids, agent, target, graph, since, until))
    deliver(done, json_out, lambda: _say("Showed", done))


def _choice(
    client: "Client",
    ids: list[int] | None,
    agent: str | None,
    target: str | None,
    graph: str | None,
    since: datetime | None,
    until: datetime | None,
) -> dict[str, Any]:
    times = {"since_unix_s": since and since.timestamp(), "until_unix_s": until and until.timestamp()}
    chosen = target and named_target(client.targets(), target)
    named = {"ids": ids, "agent": agent, "target": chosen, "graph": graph, **times}
    return {name: value for name, value in named.items() if value}


def _say(done_what: str, done: Mapping[str, Any]) -> None:
    out = output()
    say(f"{done_what} {counted(done['rows'], 'measurement')} of {counted(len(done['targets']), 'target')}.", out)
    if done["agents"]:
        state = "in quarantine" if done_what == "Hid" else "no longer in quarantine"
        say(f"{state.capitalize()}: {', '.join(done['agents'])}.", out)
    if ended := len(done["adaptations_ended"]):
        say(f"Adaptations that ended: {ended}. `latcast adapt` makes new ones.", out)
    if back := len(done["adaptations_back"]):
        say(f"Adaptations that answer again: {back}.", out)
