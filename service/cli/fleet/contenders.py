"""`latcast targets show`: one target, and who contends to answer for it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from latcast.loops.target_names import find_target
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say

__all__ = ["show_target"]


def show_target(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its id, the beginning of it, or words of it.")],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Print a target, and the predictors that contend to answer for it: error on measured networks that each was not
    shown, score of its intervals (less is better), how far it is believed, and how long it takes to adapt.

    \b
    Example:
      latcast targets show 3f0c
    """
    with open_client(server, key) as client:
        found = find_target(client.targets(), target)
        spaces = client.contenders(found["id"])
    deliver({**found, "contenders": spaces}, json_out, lambda: _print(found, spaces, output()))


def _print(target: Mapping[str, Any], spaces: Sequence[Mapping[str, Any]], out: Console) -> None:
    say(f"{target['id']}  {target['device_name']}: {target['label']}", out)
    say(counted(target["measurements"], "measurement"), out)
    if not spaces:
        say("Nobody answers for it yet: latcast adapt.", out)
        return
    rows = [(space["space"] or "graphs", *_cells(standing)) for space in spaces for standing in space["standings"]]
    headers = ("weight", "error", "score", "record", "time")
    print_table([Column("of"), names("contender"), *map(numbers, headers)], rows, out=out)
    for space in spaces:
        for one in space["standings"]:
            if one["refused"]:
                say(f"{one['name']} takes no part: {one['refused']}", out)


def _cells(standing: Mapping[str, Any]) -> tuple[str, ...]:
    score, adapt_ms = standing["interval_score"], standing["adapt_ms"]
    return (
        standing["name"],
        f"{standing['weight']:.2f}",
        _percent(standing["median_ape"]),
        "–" if score is None else f"{score:.2f}",
        _percent(standing["record"]),
        "–" if adapt_ms is None else f"{adapt_ms:,.0f} ms",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
