"""Tables of all commands: readable at 80 columns and through a pipe, with every value whole.

A table that fits is printed as it is. In one that does not fit, texts that may be long are wrapped in their columns
while that is readable; else those of the widest column that do not fit get lines of their own above their rows, and the
other rows stay on one line; else all texts stand above their figures; else each row becomes a block of labelled lines.
Of labelled values, those that do not fit beside their labels stand below them. Lines end at blanks alone, so that a
name is never broken: one that is wider than the reader makes its line so. Hashes of graphs, which every command takes
by their beginnings, are shown by these in a table that is wider than the reader. Nothing is drawn around a table.
Through a pipe a row is one line unless COLUMNS says how wide the reader is; very long names stand last there, where
they push no figure away.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from latcast.schema.printable import visible

__all__ = [
    "UNLIMITED",
    "Cell",
    "Column",
    "echo",
    "names",
    "numbers",
    "output",
    "print_pairs",
    "print_table",
    "prose",
    "say",
    "say_whole",
    "shortened",
    "shown",
]

Cell = str | Text
"""What stands in a table: a plain text, in which markup means nothing, or one with a style."""

NARROWEST = 20
"""Characters below which a wrapped column is no longer readable."""
NAME_LINES = 2
"""Lines above which a name that is wrapped at its blanks is easier to read, and to copy, on lines of its own."""
LONGEST_NAME = 100
"""Characters above which a name stands behind its figures in a pipe."""
GAP, INDENT = 2, 2
"""Blanks between columns, and before figures below a name."""
HASH = re.compile(r"g[0-9]+-[0-9a-f]{64}")
SHORT_HASH = 13
"""Characters of a hash that are shown of it at least, as they are on the dashboard."""
UNLIMITED = 100_000
"""Width of a pipe whose reader does not say how wide it is; lines of a wrapped sentence."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, whose cells stay whole on one line; see `numbers`, `names` and `prose` for the others.

    Args:
        header: what stands above it.
        right: cells stand to the right.
        most_lines: lines that a cell may take where the table is too wide.
    """

    header: str
    right: bool = False
    most_lines: int = 1

    @property
    def wraps(self) -> bool:
        """Whether cells may be wrapped, or moved to lines of their own."""
        return self.most_lines > 1

    @property
    def is_prose(self) -> bool:
        """Whether cells are sentences or lists, which follow what they are said of."""
        return self.most_lines > NAME_LINES


def numbers(header: str) -> Column:
    """A column of figures."""
    return Column(header, right=True)


def names(header: str) -> Column:
    """A column of names that may be long, as those of networks and targets are."""
    return Column(header, most_lines=NAME_LINES)


def prose(header: str) -> Column:
    """A column of sentences or lists, which are wrapped."""
    return Column(header, most_lines=UNLIMITED)


def output(*, stderr: bool = False) -> Console:
    """The console that results are printed on; as wide as they are where nobody says how wide the reader is."""
    console = Console(highlight=False, stderr=stderr)
    if not (console.is_terminal or _says_width(os.environ.get("COLUMNS", ""))):
        console = Console(highlight=False, stderr=stderr, width=UNLIMITED)
    return console


def _says_width(columns: str) -> bool:
    """Whether a value of COLUMNS is a width; what has no terminal may say 0, in which nothing could be printed."""
    return columns.isdecimal() and int(columns) > 0


def shortened(text: str, length: int) -> str:
    """At most `length` characters of a name: where it is longer, its middle gives way to an ellipsis."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def shown(text: Cell, *, style: str = "") -> Text:
    """What is printed for a text: neither brackets in it nor control characters act; styles of a cell stay."""
    if isinstance(text, str):
        return Text(visible(text), style=style)
    if visible(text.plain) == text.plain:
        return text
    letters = text.divide(range(1, len(text)))
    return Text("").join(Text(visible(letter.plain)) if visible(letter.plain) != letter.plain else letter
                         for letter in letters)  # fmt: skip


def say(text: Cell, out: Console, *, style: str = "") -> None:
    """Print a sentence; neither square brackets nor control characters in it act."""
    _print(shown(text, style=style), out)


def say_whole(text: str, out: Console) -> None:
    """Print a line that is never wrapped, so that it can be copied; nothing in it acts."""
    out.print(shown(text), no_wrap=True, overflow="ignore", crop=False)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line that is never wrapped, on standard output or on standard error."""
    print(visible(text), file=sys.stderr if err else sys.stdout)


def print_pairs(pairs: Iterable[tuple[str, Cell]], *, out: Console, title: str = "") -> None:
    """Print labelled values, the labels in a column."""
    print_table(
        [Column(""), prose("")], [(Text(label, style="dim"), value) for label, value in pairs], out=out, title=title
    )


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, out: Console, title: str = "") -> None:
    """Print a table; every value is printed whole, whatever the width of the output, but hashes of graphs (see above).

    Args:
        columns: where none has a header, no header is printed.
        rows: a cell for each column.
        out: where to, see `output`.
        title: a line above the table, itself below an empty one.
    """
    layout = _Layout(
        list(columns),
        [[shown(cell) for cell in row] for row in rows],
    )
    if title:
        out.print()
        _print(shown(title, style="bold"), out)
    if out.width == UNLIMITED:
        layout = layout.with_long_names_last()
    if layout.natural_width() > out.width and any(column.header for column in columns):
        layout = layout.with_short_hashes()
    layout = layout.with_texts_that_move(out.width)
    widths = layout.widths(out.width)
    beside = layout.figure_widths(out.width)
    if widths and (beside is None or out.width == UNLIMITED or layout.is_readable(widths)):
        _print(layout.table(widths), out)
    elif not any(column.header for column in columns):
        layout.print_labelled(out)
    elif beside and (mixed := layout.mixed_widths(out.width)):
        layout.print_mixed(*mixed, out)
    elif beside:
        layout.print_above(beside, out)
    else:
        layout.print_blocks(out)


@dataclass(frozen=True, slots=True)
class _Layout:
    """A table's contents, and the ways to lay them out."""

    columns: list[Column]
    rows: list[list[Text]]

    def widths(self, width: int) -> list[int] | None:
        """Width of each column where the table fits, with long texts wrapped if need be; None where it does not."""
        sizes = self._sizes()
        wrapped = {index: sizes[index] for index, column in enumerate(self.columns) if column.wraps}
        least = {index: max(min(NARROWEST, size), self._longest_word(index)) for index, size in wrapped.items()}
        room = width - self.natural_width() + sum(wrapped.values())
        if room < sum(least.values()):
            return None
        shared = _shared(wrapped, least, room)
        return [shared.get(index, size) for index, size in enumerate(sizes)]

    def natural_width(self) -> int:
        """Width of the table with every cell on one line."""
        sizes = self._sizes()
        return sum(sizes) + GAP * (len(sizes) - 1)

    def _longest_word(self, place: int) -> int:
        """Width below which a column would break words."""
        words = [word for row in self.rows for word in row[place].plain.split()]
        return max(map(cell_len, [*words, *self.columns[place].header.split()]), default=0)

    def is_readable(self, widths: Sequence[int]) -> bool:
        """Whether no name is wrapped into more lines than its column allows."""
        return all(
            size <= column.most_lines * width
            for size, width, column in zip(self._sizes(), widths, self.columns, strict=True)
        )

    def with_long_names_last(self) -> "_Layout":
        """The same with columns of very long names behind the others, so that they push no figure away."""
        sizes = self._sizes()
        last = [
            place
            for place, column in enumerate(self.columns)
            if column.most_lines == NAME_LINES and sizes[place] > LONGEST_NAME
        ]
        order = [place for place in range(len(sizes)) if place not in last] + last
        return _Layout([self.columns[place] for place in order], [[row[place] for place in order] for row in self.rows])

    def with_short_hashes(self) -> "_Layout":
        """The same with beginnings of the hashes of graphs that are cells, long enough to tell them apart."""
        hashes = {cell.plain for row in self.rows for cell in row if HASH.fullmatch(cell.plain)}
        length = SHORT_HASH
        while len({whole[:length] for whole in hashes}) < len(hashes):
            length += 1
        rows = [[cell[:length] if cell.plain in hashes else cell for cell in row] for row in self.rows]
        return _Layout(self.columns, rows)

    def with_texts_that_move(self, width: int) -> "_Layout":
        """The same; where the figures do not fit on one line, wide texts among them, as hashes, count as names."""
        columns = list(self.columns)
        while True:
            layout = _Layout(columns, self.rows)
            sizes = [
                0 if column.wraps or column.right else size for column, size in zip(columns, self._sizes(), strict=True)
            ]
            widest = max(range(len(sizes)), key=sizes.__getitem__)
            if layout.widths(width) or layout.figure_widths(width) or sizes[widest] <= NARROWEST:
                return layout
            columns[widest] = names(columns[widest].header)

    def mixed_widths(self, width: int) -> tuple[int, list[int]] | None:
        """The widest column of names and the width of each, where some of these names fit beside their row, or None."""
        sizes = self._sizes()
        wraps = [place for place, column in enumerate(self.columns) if column.wraps]
        if any(self.columns[place].is_prose for place in wraps):
            return None
        place = max(wraps, key=sizes.__getitem__)
        room = width - sum(sizes) + sizes[place] - GAP * (len(sizes) - 1)
        fitting = [size for row in self.rows if (size := cell_len(row[place].plain)) <= room]
        header = cell_len(self.columns[place].header)
        if not fitting or header > room:
            return None
        return place, [*sizes[:place], max(header, *fitting), *sizes[place + 1 :]]

    def figure_widths(self, width: int) -> list[int] | None:
        """Width of each column, 0 for long texts, where the others fit on one line; None where they do not."""
        for movable in (NAME_LINES, UNLIMITED):  # names alone, if sentences fit beside the figures
            sizes = [
                0 if NAME_LINES <= column.most_lines <= movable else size
                for column, size in zip(self.columns, self._sizes(), strict=True)
            ]
            figures = sum(size > 0 for size in sizes)
            if 0 < figures < len(sizes) and sum(sizes) + GAP * (figures - 1) + INDENT <= width:
                return sizes
        return None

    def table(self, widths: Sequence[int]) -> Table:
        """The whole table at these widths."""
        return self._table(widths, self.rows, header=any(column.header for column in self.columns))

    def print_above(self, widths: Sequence[int], out: Console) -> None:
        """Print each row's names on lines of their own, its figures below them, and its sentences below these."""
        moved = [place for place, size in enumerate(widths) if not size]
        above = [place for place in moved if not self.columns[place].is_prose]
        below = [place for place in moved if place not in above]
        headers = [Text(self.columns[place].header, style="bold") for place in moved]
        self._print_around([headers[moved.index(place)] for place in above],
                           self._table(widths, [], header=True),
                           [headers[moved.index(place)] for place in below], out)  # fmt: skip
        for row in self.rows:
            figures = self._table(widths, [row], header=False)
            self._print_around([row[place] for place in above], figures, [row[place] for place in below], out)

    def _print_around(self, above: Sequence[Text], figures: Table, below: Sequence[Text], out: Console) -> None:
        for texts in _lines_of(above, out.width):
            _print(texts, out)
        _print(_indented(figures), out)
        for text in below:
            for line in _lines(text, out.width - 2 * INDENT) if text.plain else ():
                _print(Text(" " * 2 * INDENT) + line, out)

    def print_mixed(self, place: int, widths: Sequence[int], out: Console) -> None:
        """Print each row on a line; a text that does not fit into its column, the one at `place`, stands above it."""
        _print(self._table(widths, [], header=True), out)
        for row in self.rows:
            beside = list(row)
            if cell_len(row[place].plain) > widths[place]:
                _print(row[place], out)
                beside[place] = Text("")
            _print(self._table(widths, [beside], header=False), out)

    def print_blocks(self, out: Console) -> None:
        """Print each row as labelled lines, with an empty line between rows."""
        for place, row in enumerate(self.rows):
            if place:
                out.print()
            for column, text in zip(self.columns, row, strict=True):
                _print(Text.assemble((f"{column.header}: ", "bold"), text), out)

    def print_labelled(self, out: Console) -> None:
        """Print each row's last text beside the others, or below them where one of its words would not fit there."""
        *sizes, _ = self._sizes()
        beside = sum(sizes) + GAP * len(sizes)
        for *labels, text in self.rows:
            start = Text()
            for label, size in zip(labels, sizes, strict=True):
                start.append_text(label).append(" " * (size - cell_len(label.plain) + GAP))
            indent, lines = beside, _lines(text, out.width - beside)
            if any(cell_len(line.plain) > out.width - beside for line in lines):
                _print(start, out)
                indent, lines = 2 * INDENT, _lines(text, out.width - 2 * INDENT)
                start = Text(" " * indent)
            for line in lines:
                _print(start + line, out)
                start = Text(" " * indent)

    def _sizes(self) -> list[int]:
        """Natural width of each column: that of its widest header or cell."""
        texts = ([column.header, *(row[place].plain for row in self.rows)] for place, column in enumerate(self.columns))
        return [max(map(cell_len, column)) for column in texts]

    def _table(self, widths: Sequence[int], rows: Iterable[Sequence[Text]], *, header: bool) -> Table:
        table = Table(box=None, show_header=header, pad_edge=False, padding=(0, GAP, 0, 0))
        shown = [place for place, width in enumerate(widths) if width]
        for place in shown:
            column = self.columns[place]
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(Text(column.header), justify=justify, width=widths[place], overflow="fold")
        for row in rows:
            table.add_row(*[row[place] for place in shown])
        return table


def _shared(sizes: dict[int, int], least: dict[int, int], room: int) -> dict[int, int]:
    """The room among columns of these natural and least widths: none gets more than it needs, the rest share alike."""
    result, room = dict(least), room - sum(least.values())
    for place, (index, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1] - least[item[0]])):
        more = min(size - least[index], room // (len(sizes) - place))
        result[index] += more
        room -= more
    return result


def _lines_of(texts: Sequence[Text], width: int) -> list[Text]:
    """Texts beside each other, as many on a line as fit whole."""
    lines: list[Text] = []
    for text in texts:
        if not text.plain:
            continue
        if lines and cell_len(lines[-1].plain) + GAP + cell_len(text.plain) <= width:
            lines[-1] = Text(" " * GAP).join([lines[-1], text])
        else:
            lines.append(text)
    return lines


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, INDENT), expand=False)


def _print(what: Table | Text | Padding, out: Console) -> None:
    """Print without blanks at the ends of lines; a word that is wider than the output stays whole."""
    if not isinstance(what, Text) and out.is_terminal:
        out.print(what)
        return
    for line in _lines(what, out.width) if isinstance(what, Text) else _rendered(what, out):
        out.print(line, no_wrap=True, overflow="ignore", crop=False)


def _rendered(what: Table | Padding, out: Console) -> list[Text]:
    lines = out.render_lines(what, pad=False)
    return [Text("".join(segment.text for segment in line).rstrip()) for line in lines]


def _lines(text: Text, width: int) -> list[Text]:
    """A text as lines of at most this width, ended at blanks alone."""
    ends, used = [], 0
    for word in re.finditer(r"\s*\S+", text.plain):
        size = cell_len(word[0])
        if used and used + size > width:
            ends.append(word.start())
            size = cell_len(word[0].lstrip())
            used = 0
        used += size
    lines = text.divide(ends)
    for line in lines:
        line.rstrip()
    return [lines[0], *(line[len(line.plain) - len(line.plain.lstrip()) :] for line in lines[1:])]
