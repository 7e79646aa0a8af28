"""What is counted stands in the form that its number takes, in whatever is said to people."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema.counting import counted

ROOT = Path(__file__).parents[3]
PACKAGES = ("latcast", "predictors", "profilers", "service")
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}
TEXTS = re.compile(r".*\.method$|_range\(")
"""Values that are texts, not numbers."""


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "row", "0 rows"), (1, "row", "1 row"), (2, "row", "2 rows"), (1_234_567, "row", "1,234,567 rows"),
        (1, "latency", "1 latency"), (3, "latency", "3 latencies"), (2, "key", "2 keys"), (2, "process", "2 processes"),
        (2, "axis index", "2 axis indexes"), (2, "search", "2 searches"), (2, "ONNX graph", "2 ONNX graphs"),
    ],
)  # fmt: skip
def test_the_noun_goes_with_its_number(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


@given(st.integers(-(10**12), 10**12))
def test_what_else_depends_on_the_number_is_given(number: int) -> None:
    text = counted(number, "row was left out", "rows were left out")
    assert text.endswith(" row was left out" if number == 1 else " rows were left out")
    assert int(text.split()[0].replace(",", "")) == number


@pytest.mark.slow
def test_no_sentence_counts_in_the_plural_alone() -> None:
    """What is counted by `counted` somewhere is so everywhere, but for constants, which are never one."""
    nouns = {noun for source in SOURCES.values() for noun in nouns_of(source)}
    assert {"measurement", "network", "latency", "ONNX graph", "graph"} <= nouns
    found = [f"{path}:{line}: {text}" for path, source in SOURCES.items() for line, text in plurals_of(source, nouns)]
    assert found == []


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ('f"Hid {rows} measurements."', True), ('f"{len(x):,} more rows"', True), ('f"at most {MOST} rows"', False),
        ('f"{name} lacks"', False), ('f"{counted(rows, name)} of it"', False), ('f"{rows:,} of them"', False),
        ('f"{rows} latencies"', True), ('f"{rows} rows_file"', False),
        ('f"{quick.method} measurements"', False), ('f"{fast:.0f} rows/s"', False),
    ],
)  # fmt: skip
def test_plurals_are_noticed(source: str, wrong: bool) -> None:
    assert bool(list(plurals_of(source, {"measurement", "row", "more row", "latency"}))) is wrong


def nouns_of(source: str) -> Iterator[str]:
    """What calls of `counted` count, with and without its attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "counted" and len(node.args) == 2:
            noun = ast.literal_eval(node.args[1])
            yield from (noun, noun.split()[-1])


def plurals_of(source: str, nouns: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line and text of f-strings in which one of these nouns, in the plural, follows a number that may be one."""
    plural = re.compile(rf" (?:{'|'.join(counted(2, noun).removeprefix('2 ') for noun in nouns)})(?![\w/])")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    counts = ast.unparse(value.value)
                    if (words := plural.match(str(after.value))) and not (counts.isupper() or TEXTS.match(counts)):
                        yield node.lineno, f"{{{counts}}}{words[0]}"
