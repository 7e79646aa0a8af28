"""`latcast dataset`: the measured data set, packed and drawn."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.cli.common import console

if TYPE_CHECKING:
    from predictors.data.measured import MeasuredRow, MeasuredTarget

__all__ = ["dataset"]

dataset = typer.Typer(help="Pack measured campaigns into a data set, and draw it.", no_args_is_help=True)

BAR = 40
"""Characters of the longest bar."""
MOST_KERNELS = 15


@dataset.command("pack")
def pack(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of campaigns.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write [default: the first campaign's folder]")
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Build every graph again, because a generator has changed.")
    ] = False,
    licence: Annotated[str, typer.Option(help="Of the data, as the datasheet says it.")] = "",
) -> None:
    """Write rows and targets as Parquet, and a datasheet.

    Lines of a file notes.md in a campaign's folder go into the datasheet.

    \b
    Example:
      latcast dataset pack campaign --out data --licence CC-BY-4.0
    """
    from predictors.data.measured import pack

    where = out or folders[0]
    rows = pack(folders, where, recheck=recheck, licence=licence)
    size = sum(path.stat().st_size for path in where.glob("*.parquet"))
    stale = sum(row.stale for row in rows)
    console.print(f"{len(rows):,} rows, {size / 1e6:.1f} MB in {where}; {stale} of them are stale.")


@dataset.command("stats")
def stats(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a packed data set.")],
    svg: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the histograms as figures there, too.")] = None,
) -> None:
    """Draw a data set: rows by target and family, range of latencies, spread, and what time goes into.

    \b
    Examples:
      latcast dataset stats benchmarks/data
      latcast dataset stats campaign --svg figures
    """
    from predictors.data.measured import read_rows, read_targets
    from predictors.data.measured import statistics as figures

    rows, targets = read_rows(path), read_targets(path)
    out = Console(highlight=False)
    out.print(_targets_table(rows, targets))
    out.print(_families_table(rows))
    histograms = {
        "latency": figures.latency_histogram(rows),
        "IQR / median of a measurement": figures.dispersion_histogram(rows),
    }
    for title, counts in histograms.items():
        out.print(_bars(title, {name: (count, f"{count:,}") for name, count in counts.items()}))
    shares = dict(list(figures.kernel_shares(rows).items())[:MOST_KERNELS])
    out.print(_bars("share of networks' time", {name: (part, f"{part:.1%}") for name, part in shares.items()}))
    for repeat in figures.repeats(rows):
        out.print(
            f"Measured twice, {repeat.method}: {repeat.pairs} pairs, which differ by {repeat.p50:.1%} at the median "
            f"and {repeat.p90:.1%} at the 90th percentile."
        )
    if svg is not None:
        _draw(svg, {**histograms, "share of networks' time": shares})


def _targets_table(rows: "Sequence[MeasuredRow]", targets: "Sequence[MeasuredTarget]") -> Table:
    from predictors.data.measured.statistics import count_targets

    labels = {known.target.id: known.target.label for known in targets}
    table = Table(
        Column("target", overflow="fold"),
        "careful",
        "quick",
        "kernels",
        "again",
        "differ",
        "noisy",
        "failed",
        title="Rows by target",
    )
    for counts in count_targets(rows):
        sizes = (counts.networks_careful, counts.networks_quick, counts.kernels, counts.again)
        difference = "–" if counts.difference is None else f"{counts.difference:.1%}"
        cells = (*(f"{n:,}" for n in sizes), difference, f"{counts.noisy:,}", f"{counts.failed:,}")
        table.add_row(labels.get(counts.target, counts.target), *cells)
    return table


def _families_table(rows: "Sequence[MeasuredRow]") -> Table:
    from predictors.data.measured.statistics import count_families

    table = Table("family", "graph × target", "on targets", "most on one", title="Graphs by family")
    for family, by_target in count_families(rows).items():
        most = max(by_target.values())
        table.add_row(family, f"{sum(by_target.values()):,}", str(len(by_target)), f"{most:,}")
    return table


def _bars(title: str, values: Mapping[str, tuple[float, str]]) -> Table:
    """A histogram in characters: name → (length, what stands beside it)."""
    longest = max((value for value, _ in values.values()), default=0.0) or 1.0
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right")
    for name, (value, text) in values.items():
        table.add_row(name, "█" * round(BAR * value / longest), text)
    return table


def _draw(folder: Path, histograms: Mapping[str, Mapping[str, float]]) -> None:
    from predictors.evaluation.nas.plots import bars

    folder.mkdir(parents=True, exist_ok=True)
    for title, values in histograms.items():
        unit = "share" if title.startswith("share") else "measurements"
        name = "-".join(re.findall(r"\w+", title.lower()))
        drawn = bars(title, unit, {label: {unit: float(value)} for label, value in values.items()})
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
