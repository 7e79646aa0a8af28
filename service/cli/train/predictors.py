"""`latcast predictors`: what was trained here, how good it is, and what of it answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from latcast.schema import InputError, UnknownNameError
from service.cli.common import open_client
from service.cli.markdown import print_markdown
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.results import deliver, done_for_each, fail_each, writable, write_text
from service.cli.tables import UNLIMITED, Column, echo, numbers, output, print_table, say
from service.cli.units import ago

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["predictors"]

predictors = typer.Typer(
    help="List, show, activate and remove predictors that were trained with `latcast train`.", no_args_is_help=True
)
SHIPPED = "pretrained:"
COPY = "as shipped"
"""The answer for a row that nobody trained here: adaptations of a predictor that the package brought rest on it."""
Predictor = Annotated[
    str,
    typer.Argument(metavar="PREDICTOR", help="Its id, or the beginning or end of it, or a kind that is there once."),
]


@predictors.command("list")
def list_predictors(server: ServerOption = DEFAULT_SERVER, key: KeyOption = None, json_out: JsonOption = None) -> None:
    """List predictors, newest first, with their errors on held-out networks and targets.

    \b
    Example:
      latcast predictors list
    """
    with open_client(server, key) as client:
        listed = client.predictors()
    deliver(listed, json_out, lambda: _print(listed))


@predictors.command("show")
def show(
    predictor: Predictor,
    svg: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the calibration plot there.", callback=writable)
    ] = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Print a predictor's card: data, hosts, figures of what was held out, and what rebuilds it. A pipe
    gets it as Markdown.

    \b
    Examples:
      latcast predictors show help
      latcast predictors show 18f3ac --svg calibration.svg
    """
    with open_client(server, key) as client:
        found = _find(client, predictor)
        card = client.predictor_card(found["id"])
        if svg is not None:
            write_text(client.predictor_calibration(found["id"]), str(svg))
    deliver(found, json_out, lambda: _print_card(card, output()))


@predictors.command("activate")
def activate(
    predictor: Predictor, server: ServerOption = DEFAULT_SERVER, key: KeyOption = None, json_out: JsonOption = None
) -> None:
    """Let a predictor answer for targets without an adaptation, and be adapted, before older ones."""
    with open_client(server, key) as client:
        found = client.activate_predictor(_find(client, predictor)["id"])
    deliver(found, json_out, lambda: echo(f"{found['kind']} ({found['id']}) answers from now on."))


@predictors.command("deactivate")
def deactivate(
    predictor: Predictor, server: ServerOption = DEFAULT_SERVER, key: KeyOption = None, json_out: JsonOption = None
) -> None:
    """Let a predictor answer only where it is asked for by name; adaptations of it stay."""
    with open_client(server, key) as client:
        found = client.deactivate_predictor(_find(client, predictor)["id"])
    said = f"{found['kind']} ({found['id']}) answers only where it is asked for by name."
    deliver(found, json_out, lambda: echo(said))


@predictors.command("remove")
def remove(
    predictor: Annotated[list[str], typer.Argument(metavar="PREDICTOR…", help="As in `latcast predictors list`.")],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Remove predictors, and what was adapted of them; refused while a target is answered for by such an adaptation.

    Exits with 1 when one of them could not be removed; the others are all the same.
    """
    with open_client(server, key) as client:
        removed, problems = done_for_each(predictor, lambda part: client.remove_predictor(_find(client, part)["id"]))
    deliver(removed, json_out, lambda: _print_removed(removed))
    fail_each(problems)


def _print_removed(removed: Sequence[Mapping[str, Any]]) -> None:
    for one in removed:
        echo(f"{one['kind']} ({one['id']}) is removed.")


def _find(client: "Client", part: str) -> Mapping[str, Any]:
    """The predictor with this id, or with an id that begins or ends so, or the only one of this kind.

    Raises:
        InputError: several fit.
        UnknownNameError: none does.
    """
    if part.startswith(SHIPPED):
        raise InputError(f"{part!r} comes with the package, whose folder predictors/pretrained has its card; "
                         "the service lists what was trained with `latcast train`.")  # fmt: skip
    listed = client.predictors()
    fitting = [one for one in listed if one["id"] == part] or [
        one for one in listed if one["kind"] == part or one["id"].startswith(part) or one["id"].endswith(part)
    ]
    if len(fitting) > 1:
        raise InputError(f"Several predictors fit {part!r}: {', '.join(one['id'] for one in fitting[:10])}.")
    if not fitting:
        raise UnknownNameError("predictor", part, sorted({one[name] for one in listed for name in ("kind", "id")}))
    return fitting[0]


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    out = output()
    if not listed:
        say("No predictor was trained here: `latcast train` does it. Those of the package answer.", out)
        return
    columns = [Column("predictor"), Column("kind"), numbers("rows"), numbers("networks"), numbers("targets"),
               Column("answers"), Column("made")]  # fmt: skip
    print_table(columns, [_row(one) for one in listed], out=out, title="median errors on held-out networks and targets")


def _print_card(card: str, out: Console) -> None:
    if out.width != UNLIMITED:
        print_markdown(card, out)
        return
    for line in card.splitlines():
        echo(line)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    metrics = one["metrics"]
    rows = metrics.get("rows")
    return (
        one["id"],
        one["kind"],
        "" if rows is None else f"{rows:,}",
        _error(metrics.get("cross_validation")),
        _error(metrics.get("held_out_targets")),
        "yes" if one["active"] else "if asked for" if one["dataset_id"] else COPY,
        ago(one["created_unix_s"]),
    )


def _error(judged: Mapping[str, Any] | None) -> str:
    error = (judged or {}).get("median_ape")
    return "–" if error is None else f"{error:.1%}"
