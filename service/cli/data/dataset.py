"""`latcast dataset`: the measured data set, packed and drawn."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from latcast.schema import to_plain
from latcast.schema.counting import counted
from service.cli.common import console
from service.cli.groups import Group
from service.cli.options import JsonOption
from service.cli.results import deliver
from service.cli.tables import Column, names, numbers, output, print_table, say

if TYPE_CHECKING:
    from predictors.data.measured import MeasuredRow, MeasuredTarget
    from predictors.data.measured.statistics import Repeats, TargetCounts

__all__ = ["dataset"]

dataset = typer.Typer(cls=Group, help="Pack measured campaigns into a data set, and draw it.", no_args_is_help=True)

BAR = 40
"""Characters of the longest bar."""
MOST_KERNELS = 15


@dataset.command("pack")
def pack(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders of campaigns, or of data sets.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write [default: the first campaign's folder]")
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Build every graph again, because a generator has changed.")
    ] = False,
    licence: Annotated[str, typer.Option(help="Licence of the data, as the datasheet says it.")] = "",
    json_out: JsonOption = None,
) -> None:
    """Write rows and targets as Parquet, and a datasheet.

    Campaigns of several machines become one data set, each row under its own device; so does a data set that was packed
    before, and whose logs are elsewhere. Lines of a file notes.md in a campaign's folder go into the datasheet.

    \b
    Examples:
      latcast dataset pack campaign --out data --licence CC-BY-4.0
      latcast dataset pack campaign-epyc campaign-xeon --out data
      latcast dataset pack benchmarks/data campaign --out data
    """
    from predictors.data.measured import pack

    where = out or folders[0]
    rows = pack(folders, where, recheck=recheck, licence=licence)
    size = sum(path.stat().st_size for path in where.glob("*.parquet"))
    stale = sum(row.stale for row in rows)
    sentence = f"{counted(len(rows), 'row')}, {size / 1e6:.1f} MB in {where}; {stale} of them are stale."
    document = {"folder": str(where), "rows": len(rows), "stale": stale, "bytes": size}
    deliver(document, json_out, lambda: say(sentence, console))


@dataset.command("stats")
def stats(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a packed data set.")],
    svg: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the histograms as figures there, too.")] = None,
    json_out: JsonOption = None,
) -> None:
    """Draw a data set: rows by target and family, range of latencies, spread, and what time goes into.

    \b
    Examples:
      latcast dataset stats benchmarks/data
      latcast dataset stats campaign --svg figures --json stats.json
    """
    from predictors.data.measured import read_rows, read_targets
    from predictors.data.measured import statistics as figures

    rows, targets = read_rows(path), read_targets(path)
    histograms = {
        "latency": figures.latency_histogram(rows),
        "IQR / median of a measurement": figures.dispersion_histogram(rows),
    }
    shares, repeats = figures.kernel_shares(rows), figures.repeats(rows)
    most = dict(list(shares.items())[:MOST_KERNELS])
    document = {
        "folder": str(path),
        "targets": [to_plain(counts) for counts in figures.count_targets(rows)],
        "families": figures.count_families(rows),
        "latencies": histograms["latency"],
        "dispersion": histograms["IQR / median of a measurement"],
        "kernel_shares": shares,
        "repeats": [to_plain(repeat) for repeat in repeats],
    }

    def show() -> None:
        out = output()
        _print_targets(rows, targets, out)
        _print_families(rows, out)
        for title, counts in histograms.items():
            _print_bars(title, {name: (count, f"{count:,}") for name, count in counts.items()}, out)
        _print_bars("share of networks' time", {name: (part, f"{part:.1%}") for name, part in most.items()}, out)
        _print_repeats(repeats, out)

    deliver(document, json_out, show)
    if svg is not None:
        _draw(svg, {**histograms, "share of networks' time": most})


def _print_repeats(repeats: "Sequence[Repeats]", out: Console) -> None:
    for repeat in repeats:
        say(
            f"Measured twice, {repeat.method}: {counted(repeat.pairs, 'pair')}, which differ by "
            f"{repeat.p50:.1%} at the median "
            f"and {repeat.p90:.1%} at the 90th percentile.",
            out,
        )


def _print_targets(rows: "Sequence[MeasuredRow]", targets: "Sequence[MeasuredTarget]", out: Console) -> None:
    from predictors.data.measured.statistics import count_targets

    machines = _machines(targets)
    labels = {one.target.id: f"{machines[one.target.device]}{one.target.label}" for one in targets}
    headers = ("careful", "quick", "kernels", "again", "differ", "noisy", "failed")
    lines = [(labels.get(counts.target, counts.target), *_counts(counts)) for counts in count_targets(rows)]
    print_table([names("target"), *map(numbers, headers)], lines, out=out, title="Rows by target")


def _machines(targets: "Sequence[MeasuredTarget]") -> dict[str, str]:
    """Device id → what stands before its targets: nothing where it is the only one, else its name.

    Of machines of one name each also has the beginning of its id.
    """
    names = {one.target.device: one.device.name for one in targets}
    if len(names) < 2:
        return dict.fromkeys(names, "")
    machines = Counter(names.values())
    return {one: f"{name}{f' ({one[:8]})' if machines[name] > 1 else ''}: " for one, name in names.items()}


def _counts(counts: "TargetCounts") -> Iterator[str]:
    for count in (counts.networks_careful, counts.networks_quick, counts.kernels, counts.again):
        yield f"{count:,}"
    yield "–" if counts.difference is None else f"{counts.difference:.1%}"
    yield f"{counts.noisy:,}"
    yield f"{counts.failed:,}"


def _print_families(rows: "Sequence[MeasuredRow]", out: Console) -> None:
    from predictors.data.measured.statistics import count_families

    lines = [
        (family, f"{sum(by_target.values()):,}", f"{len(by_target):,}", f"{max(by_target.values()):,}")
        for family, by_target in count_families(rows).items()
    ]
    headers = ("graph × target", "on targets", "most on one")
    print_table([names("family"), *map(numbers, headers)], lines, out=out, title="Graphs by family")


def _print_bars(title: str, values: Mapping[str, tuple[float, str]], out: Console) -> None:
    """Print a histogram in characters: name → (length, what stands beside it)."""
    longest = max((value for value, _ in values.values()), default=0.0) or 1.0
    lines = [(name, "█" * round(BAR * value / longest), text) for name, (value, text) in values.items()]
    print_table([numbers(""), Column(""), numbers("")], lines, out=out, title=title)


def _draw(folder: Path, histograms: Mapping[str, Mapping[str, float]]) -> None:
    from predictors.evaluation.plots import bars

    folder.mkdir(parents=True, exist_ok=True)
    for title, values in histograms.items():
        unit = "share" if title.startswith("share") else "measurements"
        name = "-".join(re.findall(r"\w+", title.lower()))
        drawn = bars(title, unit, {label: {unit: float(value)} for label, value in values.items()})
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
