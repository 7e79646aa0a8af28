"""`latcast train`: train a predictor on the measurements of the service's database."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.loops.target_names import find_target
from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import console, open_client, parse_pairs
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.progress import follow_progress
from service.cli.results import deliver
from service.cli.tables import echo, output, say

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["figures", "moment", "train"]

UNITS_S = {"h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}


def train(
    kind: Annotated[
        str,
        typer.Option(metavar="K", help="What is trained: boosted_trees, kernel_sum, universal, help, … or a plug-in."),
    ],
    targets: Annotated[
        list[str] | None,
        typer.Option(metavar="T", help="Target whose measurements count (id, or words as for --target); repeatable."),
    ] = None,
    spaces: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Search space whose networks count; repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Oldest measurement that counts: 2026-05-01, 30d, 12h, 4w.")
    ] = None,
    tables: Annotated[
        bool | None,
        typer.Option(
            "--tables/--no-tables",
            help="Whether public tables count. By default where --targets names them, and for predictors that read "
            "architectures alone.",
        ),
    ] = None,
    rows_per_target: Annotated[
        int | None, typer.Option(min=1, help="Most measurements of each target, chosen at random.")
    ] = None,
    hyper: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hyperparameter of the kind; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    folds: Annotated[int, typer.Option(min=0, max=20, help="Parts of the networks, each held out once; 0: none.")] = 4,
    target_folds: Annotated[
        int, typer.Option(min=0, max=20, help="The same of the targets, where there are three or more.")
    ] = 4,
    activate: Annotated[
        bool, typer.Option("--activate", help="Let it answer, and be adapted, as soon as it is trained.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Processes that do its folds and its fit, each with one thread and with rows of its own; no more than "
            "the worker has cores. On the worker's Ray cluster: tasks at a time.",
            show_default="LATCAST_TRAINING_WORKERS of the worker",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is trained.")] = True,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Train a predictor on what was measured, and judge it on networks and targets that were held out.

    The service's worker does it; interrupting only stops the waiting. The predictor answers where it is asked for by
    name (predictor= in a call for forecasts), and everywhere else once it is activated.

    \b
    Examples:
      latcast train --kind boosted_trees
      latcast train --kind help --spaces nasbench201 --hyper episodes=500
      latcast train --kind kernel_sum --since 30d --activate
      latcast train --kind boosted_trees --workers 4
    """
    with open_client(server, key) as client:
        job = client.train(
            kind,
            targets=_target_ids(client, targets or (), spaces or ()),
            spaces=spaces or (),
            since_unix_s=None if since is None else moment(since),
            tables=tables,
            rows_per_target=rows_per_target,
            hyperparameters=_hyperparameters(hyper or ()),
            seed=seed,
            folds=folds,
            target_folds=target_folds,
            activate=activate,
            workers=workers,
        )
        if not wait:
            deliver(job, json_out, lambda: echo(job["id"]))
            return
        done = follow_progress(client, job["id"], what=f"training {kind}", console=console)
    deliver(done, json_out, lambda: _print(done["result"]))


def _target_ids(client: "Client", wanted: Sequence[str], spaces: Sequence[str]) -> list[str]:
    registered = client.targets() if wanted else []
    return [find_target(registered, one, spaces=spaces)["id"] for one in wanted]


def _hyperparameters(texts: Sequence[str]) -> dict[str, Any]:
    """Values as JSON where they are such: numbers, true and false; else texts."""
    return {name: _value(text) for name, text in parse_pairs(texts, "--hyper").items()}


def _value(text: str) -> bool | int | float | str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def moment(text: str, now: float | None = None) -> float:
    """Seconds since 1970 of a date, of a date with a time, or of so many hours, days or weeks ago.

    Raises:
        InputError: the text is none of these.
    """
    if (ago := re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip())) is not None:
        return (time.time() if now is None else now) - float(ago[1]) * UNITS_S[ago[2]]
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"--since takes a date (2026-05-01), or 12h, 30d or 4w; not {text!r}.") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def figures(result: Mapping[str, Any]) -> str:
    """What a training came to, in sentences."""
    said = [
        f"Trained {result['kind']} ({result['predictor_id']}) on {counted(result['rows'], 'measurement')} of "
        f"{counted(result['networks'], 'network')}."
    ]
    for name, what in (("cross_validation", "networks"), ("held_out_targets", "targets")):
        if (judged := result.get(name)) is not None and judged.get("median_ape") is not None:
            rank = "" if judged["spearman"] is None else f", Spearman {judged['spearman']:.3f}"
            said.append(f"Held-out {what}: median error {judged['median_ape']:.1%}{rank}.")
    return " ".join(said)


def _print(result: Mapping[str, Any]) -> None:
    """Print what it came to, and what to do next as commands to copy."""
    say(figures(result), output())
    echo(f"Its card: latcast predictors show {result['predictor_id']}")
    if not result["active"]:
        echo(f"Let it answer everywhere: latcast predictors activate {result['predictor_id']}")
