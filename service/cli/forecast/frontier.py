"""`latcast frontier`: the best networks of a whole search space, on one device or several."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latcast.loops.frontier import Front, Point
from latcast.loops.target_names import find_target
from latcast.schema import InputError
from latcast.schema.counting import counted
from service.cli.common import console, open_client
from service.cli.forecast.network_files import cells_of, column_of, read_text
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption
from service.cli.progress import bar
from service.cli.results import deliver, writable, write_text
from service.cli.tables import names, numbers, output, print_table, say
from service.cli.units import milliseconds

if TYPE_CHECKING:
    from profilers.search_spaces import SearchSpace

__all__ = ["frontier"]

PART = 10_000
LARGEST = 1_000_000
"""Networks of a space that is gone through whole."""


@dataclass(slots=True)
class Fronts:
    """The front of each target, and how many networks were looked at.

    Args:
        values: what is to be large, by text; empty where the first target's latency is compared with the others'.
        fronts: by the label of what is compared.
        seen: networks that were forecast.
        left_out: networks without a forecast, or without a value.
    """

    values: Mapping[str, float]
    fronts: dict[str, Front] = field(default_factory=dict)
    seen: int = 0
    left_out: int = 0

    def take(self, texts: Sequence[str], columns: Mapping[str, Any]) -> None:
        """Take in the forecasts of networks, columns by the target's label."""
        first, *others = columns
        self.seen += len(texts)
        for place, text in enumerate(texts):
            latencies = {label: float(column.latency_ms[place]) for label, column in columns.items()}
            if any(ms != ms for ms in latencies.values()) or (self.values and text not in self.values):  # noqa: PLR0124
                self.left_out += 1
            elif self.values:
                for label, ms in latencies.items():
                    self._front(label).add(Point(ms, self.values[text], text))
            else:
                for other in others:
                    self._front(f"{first} | {other}").add(Point(latencies[first], -latencies[other], text))

    def _front(self, label: str) -> Front:
        return self.fronts.setdefault(label, Front())


def frontier(
    space: Annotated[str, typer.Option("--space", metavar="NAME", help="Search space, for example nasbench201.")],
    targets: Annotated[str, typer.Option(metavar="A,B", help="Targets, as --target of other commands takes them.")],
    metric: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Columns text and another that is to be large, for example accuracy."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Networks at random in place of the whole space.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the fronts into an SVG file.", callback=writable)
    ] = None,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Find the networks of a space that no other beats: in latency and in a metric, or on two targets.

    With --metric there is a front for each target: latency and the metric. Without one, the first target's latency is
    compared with that of each other. The space is gone through part by part, so that it may be large.

    \b
    Examples:
      latcast frontier --space nasbench201 --targets pixel3,eyeriss \\
        --svg front.svg
      latcast frontier --space nasbench201 --targets pixel3 \\
        --metric accuracies.csv
      latcast frontier --space fbnet --targets pixel3,fpga --sample 100000
    """
    from profilers.search_spaces import get_space

    searched = get_space(space)
    values = {} if metric is None else _values(metric)
    wanted = [name.strip() for name in targets.split(",") if name.strip()]
    if metric is None and len(wanted) < 2:
        raise typer.BadParameter("Name two targets at least, or a --metric to compare latency with.")
    found = Fronts(values)
    with open_client(server, key) as client:
        listed = client.targets()
        labels = {find_target(listed, name, spaces=[searched.name])["id"]: name for name in wanted}
        if len(labels) < len(wanted):
            raise InputError(f"Two of {', '.join(wanted)} are one target: name each target once.")
        asked = [client.target(one) for one in labels]
        texts = iter(values) if values and sample is None else _texts(searched, sample, seed)
        with bar(console) as progress:
            task = progress.add_task("forecasting", total=len(values) or sample or searched.size)
            while part := list(islice(texts, PART)):
                answers = client.predict_on(asked, part, space=searched.name)
                found.take(part, {labels[one]: columns for one, columns in answers.items()})
                progress.update(task, advance=len(part))
    if svg is not None:
        write_text(_drawn(found, searched.name, metric), str(svg))
    deliver(_document(found, searched.name), json_out, lambda: _show(found))


def _values(path: Path) -> dict[str, float]:
    """The metric of each text, which is to be large: the first column of numbers; a row without one has none."""
    header, delimiter, lines = cells_of(read_text(str(path)))
    text = column_of(header, "text")
    words = [column_of(header, member) for member in ("text", "space", "name")]
    others = [place for place in range(len(header)) if place not in words]
    if text is None or not others:
        raise InputError(f"{path} needs a column text and one of values; it has {', '.join(header) or 'none'}.")
    value = others[0]
    values = {}
    for number, cells in lines:
        if len(cells) > max(text, value) and cells[text] and cells[value]:
            written = cells[value] if delimiter == "," else cells[value].replace(",", ".")
            values[cells[text]] = _number(written, f"{path} line {number}", header[value])
    return values


def _number(written: str, where: str, column: str) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {written!r} in the column {column!r} is no number.")
    return value


def _texts(space: "SearchSpace", sample: int | None, seed: int) -> Iterator[str]:
    """Texts of the whole space, each once, or of networks at random."""
    if sample is not None:
        import numpy as np

        rng = np.random.default_rng(seed)
        return (space.sample(rng).text for _ in range(sample))
    if space.size is None or space.size > LARGEST or not hasattr(space, "all"):
        raise typer.BadParameter(f"{space.name} is too large to go through: take a part of it with --sample.")
    texts: Iterator[str] = space.all()
    return texts


def _document(found: Fronts, space: str) -> dict[str, Any]:
    fronts = {label: [point._asdict() for point in front] for label, front in found.fronts.items()}
    return {"space": space, "networks": found.seen, "left_out": found.left_out, "fronts": fronts}


def _drawn(found: Fronts, space: str, metric: Path | None) -> str:
    from predictors.evaluation.plots import curves

    sign = 1 if metric else -1
    series = {label: [(point.cost, sign * point.value) for point in front] for label, front in found.fronts.items()}
    unit = metric.stem if metric else "ms on the other target"
    return curves(f"{space}: {counted(found.seen, 'network')}", unit, "latency, ms", series)


def _show(found: Fronts) -> None:
    out = output()
    for label, front in found.fronts.items():
        say(f"{label}: {len(front):,} of {counted(found.seen, 'network')}", out, style="bold")
        rows = [
            (milliseconds(one.cost), f"{one.value:g}" if found.values else milliseconds(-one.value), one.name)
            for one in front
        ]
        print_table([numbers("ms"), numbers("metric" if found.values else "ms there"), names("network")], rows, out=out)
    if found.left_out:
        say(f"{counted(found.left_out, 'network has', 'networks have')} no forecast, or no value of the metric.", out)
