"""Reads the sizes that `--shape` and `--dim` take: the one syntax of all commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import typer

__all__ = ["Sizes", "parse_curve", "parse_input", "parse_shapes", "parse_sizes", "refuse_sizes"]

EXAMPLE = "x=1,3,224,224"
DIM_EXAMPLE = "batch=1"
BRACKETS = ("[]", "()")
MOST_POINTS = 1_000
"""Combinations of several values of symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a model's dynamic dimensions are bound to.

    Args:
        shapes: whole shape of each input, by its name.
        dims: size of each symbol.
        varied: symbols of which several sizes were asked for, in order.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dims: Mapping[str, int]
    varied: Sequence[str] = ()

    @property
    def label(self) -> str:
        """Sizes of the varied symbols, for people: `batch=8, seq=128`; empty where none is varied."""
        return ", ".join(f"{symbol}={self.dims[symbol]}" for symbol in self.varied)

    @property
    def elements(self) -> int:
        """Product of the varied symbols' sizes: how many there are in a run of what is varied."""
        return prod(self.dims[symbol] for symbol in self.varied)


def refuse_sizes(sizes: Sizes) -> None:
    """Say of sizes that they were given for what has its sizes already.

    Raises:
        typer.BadParameter: there are such sizes.
    """
    if sizes.shapes or sizes.dims:
        raise typer.BadParameter(
            "--shape and --dim bind the open sizes of ONNX files; texts, hashes and torch modules have theirs already."
        )


def parse_sizes(shapes: Sequence[str] | None, dims: Sequence[str] | None) -> Sizes:
    """The sizes of one network, from the texts of `--shape` and `--dim`.

    Raises:
        typer.BadParameter: a text is malformed, an input or symbol is named twice, or a symbol has several sizes.
    """
    points = parse_curve(shapes, dims)
    if len(points) > 1:
        raise typer.BadParameter(f"--dim gives {points[0].varied[0]!r} several sizes; this command takes one of each.")
    return points[0]


def parse_curve(shapes: Sequence[str] | None, dims: Sequence[str] | None) -> list[Sizes]:
    """The sizes at each point of a curve: every combination of the symbols' sizes, the first symbol the slowest.

    Args:
        shapes: texts of `--shape`, see `parse_shapes`.
        dims: texts of `--dim`, SYMBOL=SIZE or SYMBOL=SIZE,SIZE,… each.

    Raises:
        typer.BadParameter: a text is malformed, an input or symbol is named twice, or there are too many points.
    """
    whole, sizes = parse_shapes(shapes or []), _parse_dims(dims or [])
    if prod(map(len, sizes.values())) > MOST_POINTS:
        raise typer.BadParameter(f"--dim asks for more than {MOST_POINTS:,} combinations of sizes: give fewer.")
    varied = tuple(symbol for symbol, values in sizes.items() if len(values) > 1)
    return [
        Sizes(shapes=whole, dims=dict(zip(sizes, point, strict=True)), varied=varied)
        for point in product(*sizes.values())
    ]


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """`["x=1,3,224,224"]` → `{"x": (1, 3, 224, 224)}`.

    Args:
        texts: NAME=SIZES each, where the sizes are `1,3,224,224`, `1x3x224x224` or `[1,3,224,224]`, and nothing for a
            scalar. The last `=` divides a text, so that names may hold `=`, `:` and spaces.

    Returns:
        Shapes in elements by the input's name.

    Raises:
        typer.BadParameter: a text is not of that form, or an input is named twice; says what is wrong.
    """
    return _by_name(texts, option="--shape", what="input", example=EXAMPLE)


def parse_input(text: str) -> tuple[int, ...]:
    """`1,3,224,224`, or any other form of sizes, → `(1, 3, 224, 224)`: an input without a name.

    Raises:
        typer.BadParameter: the text is not of that form; says what is wrong.
    """
    return _sizes(f"--input {text!r}", text, f"write it as {EXAMPLE.partition('=')[2]}.")


def _parse_dims(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """`["batch=1,2"]` → `{"batch": (1, 2)}`."""
    dims = _by_name(texts, option="--dim", what="symbol", example=DIM_EXAMPLE)
    for symbol, sizes in dims.items():
        if not sizes:
            raise typer.BadParameter(f"--dim {symbol!r} has no size: write it as {DIM_EXAMPLE}.")
    return {symbol: tuple(dict.fromkeys(sizes)) for symbol, sizes in dims.items()}


def _by_name(texts: Sequence[str], *, option: str, what: str, example: str) -> dict[str, tuple[int, ...]]:
    named: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        name = name.strip()
        where, advice = f"{option} {text!r}", f"write it as {example}."
        if not equals:
            raise typer.BadParameter(f"{where} has no '=' between name and sizes: {advice}")
        if not name:
            raise typer.BadParameter(f"{where} names no {what} before its last '=': {advice}")
        if name in named:
            raise typer.BadParameter(f"{option} names the {what} {name!r} twice: {text!r} and another one.")
        named[name] = _sizes(where, sizes, advice)
    return named


def _sizes(where: str, sizes: str, advice: str) -> tuple[int, ...]:
    inner = _without_brackets(where, sizes.strip(), advice)
    parts = inner.lower().replace("×", ",").replace("x", ",").split(",") if inner else []
    return tuple(_size(where, part.strip(), advice) for part in parts)


def _without_brackets(where: str, sizes: str, advice: str) -> str:
    ends = sizes[:1] + sizes[-1:]
    if len(sizes) > 1 and ends in BRACKETS:
        return sizes[1:-1].strip()
    if set(ends) & set("".join(BRACKETS)):
        raise typer.BadParameter(f"{where} opens or closes a bracket without the other: {advice}")
    return sizes


def _size(where: str, part: str, advice: str) -> int:
    if not (part.isascii() and part.isdigit()):
        wrong = f"the size {part!r} is not a whole number" if part else "a size is missing"
        raise typer.BadParameter(f"{where}: {wrong} from 0 up; {advice}" if part else f"{where}: {wrong}; {advice}")
    return int(part)
