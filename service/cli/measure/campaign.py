"""`latcast campaign`: measure many graphs on all targets of this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TimeElapsedColumn, TimeRemainingColumn

from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import console
from service.cli.options import JsonOption
from service.cli.progress import DESCRIPTION, bar
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say

if TYPE_CHECKING:
    from latcast.schema import ProfileSettings
    from profilers.campaign import Recipe, Tally

__all__ = ["campaign"]

SECONDS_PER_NETWORK, SECONDS_PER_CAREFUL, SECONDS_PER_KERNEL = 0.6, 1.8, 0.12
"""What they take on most machines: for the estimates of --dry-run."""
MICROBENCH_SECONDS = 15


def campaign(
    hours: Annotated[float, typer.Option(min=0.0, help="How long to measure; may be a fraction.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the log is, and is continued.")] = Path("campaign"),
    targets: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Only targets whose label has this in it [default: all this machine can be]"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only these families, for example zoo/* or kernels/conv* [default: all]"),
    ] = None,
    careful_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of the networks that is measured in fresh sandboxed processes."),
    ] = 0.1,
    kernels: Annotated[int, typer.Option(min=0, help="Graphs of a single kernel for each network.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the graphs that are drawn.")] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Measure what the log has once more, the least measured first.")
    ] = False,
    microbench: Annotated[bool, typer.Option(help="Describe targets by microbenchmarks first.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be measured, and stop.")] = False,
    json_out: JsonOption = None,
) -> None:
    """Measure generated networks and kernels on all targets of this machine.

    Targets take turns and have the same graphs, so that a campaign may end at any time. The same command goes on where
    one stopped, even where it was killed. The machine should do nothing else meanwhile. Where its speed drifts, as that
    of most virtual machines does, measure everything --again at another hour.

    \b
    Examples:
      latcast campaign --hours 2 --out campaign --dry-run
      latcast campaign --hours 0.1 --targets onnxruntime --targets openvino \\
        --only 'zoo/*'
      latcast campaign --hours 1 --out campaign --again --only 'zoo/*'
      latcast dataset pack campaign
    """
    from profilers.campaign import Recipe, tallies
    from profilers.targets import local_targets

    recipe = Recipe(only=tuple(only or ["*"]), careful_share=careful_share, kernels_per_network=kernels, seed=seed)
    chosen = [tally for tally in tallies(out, local_targets()) if _fits(tally, targets or [""])]
    if not chosen:
        raise InputError(f"No target of this machine has {' or '.join(targets or [])} in its label.")
    if dry_run:
        to_come = _networks_to_come(chosen, recipe, hours, microbench=microbench)
        document = {
            "folder": str(out), "networks_to_come": to_come, "kernels_to_come": to_come * kernels,
            "targets": [_plain(tally) for tally in chosen],
        }  # fmt: skip
        deliver(document, json_out, lambda: _print_plan(chosen, recipe, to_come, output(), microbench=microbench))
        return
    rows = _measure(out, [tally.settings for tally in chosen], recipe, hours, again=again, microbench=microbench)
    measured = tallies(out, [tally.settings for tally in chosen])
    document = {"folder": str(out), "new_rows": rows, "targets": [_plain(tally) for tally in measured]}
    deliver(document, json_out, lambda: _print_summary(measured, output()))
    say(f"{counted(rows, 'new row')} in {out}. `latcast dataset pack {out}` makes a data set of them.", console)


def _plain(tally: "Tally") -> dict[str, Any]:
    """What a target has, as JSON."""
    counts = {"networks": tally.networks, "kernels": tally.kernels, "failures": tally.failures}
    return {"id": tally.target.id, "label": tally.target.label, **counts, "described": tally.described}


def _fits(tally: "Tally", texts: Sequence[str]) -> bool:
    return any(text in tally.target.label for text in texts)


def _measure(
    out: Path, settings: "Sequence[ProfileSettings]", recipe: "Recipe", hours: float, *, again: bool, microbench: bool
) -> int:
    from profilers.campaign import run_campaign

    columns = (
        "{task.fields[rows]} rows",
        BarColumn(),
        TimeElapsedColumn(),
        "to go",
        TimeRemainingColumn(),
        DESCRIPTION,
    )
    with bar(console, *columns) as progress:
        line = progress.add_task("starting", total=1.0, rows=0)
        return run_campaign(
            out, settings, recipe, seconds=hours * 3600, again=again, describe=microbench,
            on_report=lambda report: progress.update(
                line, completed=report.share, rows=report.rows, description=report.message[:100]
            ),
        )  # fmt: skip


def _networks_to_come(chosen: "Sequence[Tally]", recipe: "Recipe", hours: float, *, microbench: bool) -> int:
    """How many networks each target can be expected to get in this time."""
    undescribed = sum(not tally.described for tally in chosen) if microbench else 0
    seconds = max(0.0, hours * 3600 - undescribed * MICROBENCH_SECONDS) / len(chosen)
    share = recipe.careful_share
    each = (1 - share) * SECONDS_PER_NETWORK + share * SECONDS_PER_CAREFUL
    return int(seconds / (each + recipe.kernels_per_network * SECONDS_PER_KERNEL))


def _print_plan(chosen: "Sequence[Tally]", recipe: "Recipe", networks: int, out: Console, *, microbench: bool) -> None:
    """Print what each target has, and how many graphs it can be expected to get."""
    to_come = f"{networks:,} + {networks * recipe.kernels_per_network:,}"
    rows = [
        (
            tally.target.label,
            f"{tally.networks:,} + {tally.kernels:,}",
            to_come,
            _described(tally, microbench=microbench),
        )
        for tally in chosen
    ]
    columns = [names("target"), numbers("so far"), numbers("to come"), Column("microbench")]
    print_table(columns, rows, out=out)
    say("Counts are of networks + kernels.", out)


def _described(tally: "Tally", *, microbench: bool) -> str:
    return "there" if tally.described else "to come" if microbench else "no"


def _print_summary(chosen: "Sequence[Tally]", out: Console) -> None:
    columns = [names("target"), numbers("networks"), numbers("kernels"), numbers("failures"), Column("microbench")]
    rows = [
        (
            tally.target.label,
            f"{tally.networks:,}",
            f"{tally.kernels:,}",
            f"{tally.failures:,}",
            "yes" if tally.described else "no",
        )
        for tally in chosen
    ]
    print_table(columns, rows, out=out)
