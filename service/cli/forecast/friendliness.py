"""`latcast friendliness`: what the options of a search space cost on a device, from whole networks alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.loops.target_names import find_target
from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption, TargetOption
from service.cli.results import deliver, writable, write_json
from service.cli.tables import Column, names, numbers, output, print_table, say
from service.cli.units import between, duration, milliseconds

if TYPE_CHECKING:
    from predictors.inference.additive_costs import AdditiveCosts
    from profilers.search_spaces import SearchSpace

__all__ = ["friendliness"]


def friendliness(
    space: Annotated[str, typer.Option("--space", metavar="NAME", help="Search space, for example fbnet.")],
    target: TargetOption = None,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Cheapest options of each position that --reduced keeps.")
    ] = None,
    reduced: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the reduced space, for `ReducedSpace`.", callback=writable),
    ] = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Say what each option costs at each position, with intervals, and which to leave out of a search.

    Costs are in ms beyond the position's cheapest option, by least squares over what was measured of whole networks
    (Mills et al. 2021, https://arxiv.org/abs/2109.12426, measure blocks within whole networks for the same reason).

    \b
    Examples:
      latcast friendliness --space fbnet --target pixel3
      latcast friendliness --space fbnet --target pixel3 --keep 4 \\
        --reduced fbnet_small.json
    """
    from profilers.search_spaces import get_space

    if (keep is None) != (reduced is None):
        raise typer.BadParameter("--keep and --reduced go together.")
    searched = get_space(space)
    with open_client(server, key) as client:
        registered = find_target(client.targets(), target, spaces=[searched.name])
        rows = list(client.measurements(registered["id"], space=searched.name, outcome="measured"))
    costs = _costs(searched, rows)
    document = _document(searched, costs, level)
    if reduced is not None and keep is not None:
        write_json({"space": searched.name, "keep": _cheapest(searched, costs, keep)}, str(reduced))
    deliver(document, json_out, lambda: _show(document, registered))


def _costs(space: "SearchSpace", rows: Sequence[Mapping[str, Any]]) -> "AdditiveCosts":
    import numpy as np

    from predictors.inference.additive_costs import fit_costs

    if not space.positions():
        raise InputError(f"Architectures of {space.name} have no fixed positions.")
    good = {row["text"]: row["median_ms"] for row in rows if row["text"] is not None and row["median_ms"]}
    if not good:
        raise InputError(f"Nothing of {space.name} was measured there: `latcast measure --space {space.name}` does.")
    choices = np.array([space.choices(space.parse(text)) for text in good], dtype=np.intp)
    return fit_costs(choices, [len(one.options) for one in space.positions()], np.array(list(good.values())))


def _document(space: "SearchSpace", costs: "AdditiveCosts", level: float) -> dict[str, Any]:
    width = NormalDist().inv_cdf((1 + level) / 2)
    positions = [
        {
            "position": position.name,
            "options": {
                name: {"ms": ms, "low_ms": ms - width * error, "high_ms": ms + width * error}
                for name, ms, error in zip(position.options, cost.tolist(), errors.tolist(), strict=True)
                if ms == ms  # noqa: PLR0124 - an option that nothing measured has is NaN
            },
        }
        for position, cost, errors in zip(space.positions(), costs.costs_ms, costs.errors_ms, strict=True)
    ]
    return {
        "space": space.name,
        "level": level,
        "networks": costs.rows,
        "overhead_ms": costs.overhead_ms,
        "explained_variance": costs.explained,
        "error_ms": costs.error_ms,
        "positions": positions,
    }


def _cheapest(space: "SearchSpace", costs: "AdditiveCosts", keep: int) -> list[list[str]]:
    """Names of the cheapest options of each position, in the space's order; what nothing measured has is left out."""
    kept = []
    for position, cost in zip(space.positions(), costs.costs_ms, strict=True):
        ranked = sorted((ms, code) for code, ms in enumerate(cost.tolist()) if ms == ms)  # noqa: PLR0124
        kept.append([position.options[code] for code in sorted(code for _, code in ranked[:keep])])
    return kept


def _show(document: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    out = output()
    say(f"{target['device_name']} · {target['label']}", out, style="bold")
    say(
        f"{counted(document['networks'], 'network')}; the cheapest options take {duration(document['overhead_ms'])}; "
        f"sums explain {document['explained_variance']:.1%} of the variance of networks that were held out.",
        out,
    )
    rows = [
        (
            part["position"],
            name,
            milliseconds(one["ms"]),
            between(one["low_ms"], one["high_ms"]),
        )
        for part in document["positions"]
        for name, one in sorted(part["options"].items(), key=lambda pair: pair[1]["ms"])
    ]
    columns = [Column("position"), names("option"), numbers("ms more"), numbers(f"{document['level']:.0%} interval")]
    print_table(columns, rows, out=out)
