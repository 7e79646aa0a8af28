"""Markdown, such as cards of predictors, for people at a terminal: its tables and sentences fit the width."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console

from service.cli.tables import Column, names, numbers, print_table, say, say_whole

__all__ = ["print_markdown"]

FENCE = "```"
RULE = re.compile(r"\|[-:| ]+\|")
"""The line below the header of a table."""
FIGURE = re.compile(r"[\d.,%±–× -]*")
"""A cell of a column of numbers."""


def print_markdown(text: str, out: Console) -> None:
    """Print headings, paragraphs, tables and blocks of code; of the rest the text as it is.

    Args:
        text: Markdown whose paragraphs are a line each.
        out: where to.
    """
    for place, block in enumerate(_blocks(text)):
        if place:
            say_whole("", out)
        if len(block) > 1 and RULE.fullmatch(block[1]):
            _print_table(block, out)
        elif block[0].startswith(FENCE):
            for line in block[1:]:
                say_whole(line, out)
        else:
            for line in block:
                say(line.lstrip("#").strip().replace("`", ""), out, style="bold" if line.startswith("#") else "")


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together: those between empty ones, and those of a block of code without its end."""
    code = False
    lines: list[tuple[bool, str]] = []
    for line in text.splitlines():
        fence = line.startswith(FENCE)
        if not (fence and code):
            lines.append((code or bool(line.strip()), line))
        code = code != fence
    for filled, group in groupby(lines, key=lambda pair: pair[0]):
        if filled:
            yield [line for _, line in group]


def _print_table(lines: Sequence[str], out: Console) -> None:
    header, _, *rows = (_cells(line) for line in lines)
    whole = [[*row, *[""] * len(header)][: len(header)] for row in rows]
    columns = [_column(title, [row[place] for row in whole]) for place, title in enumerate(header)]
    print_table(columns, whole, out=out)


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace(r"\|", "|").replace("&lt;", "<") for cell in re.split(r"(?<!\\)\|", inner)]


def _column(title: str, cells: Sequence[str]) -> Column:
    return numbers(title) if all(FIGURE.fullmatch(cell) for cell in cells) else names(title)
