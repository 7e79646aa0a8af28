"""Sizes for several files of one command: each takes those that it has a place for."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from latcast.onnx_files import DeclaredInputs
from latcast.schema import InputError
from service.cli.common import console
from service.cli.remarks import say_remarks
from service.cli.shapes import Sizes

__all__ = ["sizes_of_files"]

T = TypeVar("T")


def sizes_of_files(curve: Sequence[Sizes], files: Sequence[tuple[str, DeclaredInputs | None]]) -> list[list[Sizes]]:
    """The points of a curve at which each file is asked about, in the files' order.

    One file has to have a place for all that is given. Of several each has for some of it: what a file lacks is left
    out, which is said on standard error, and points that differ in nothing else are one.

    Args:
        curve: the sizes that were given, see `parse_curve`; at least one point.
        files: each file's name, for people, and what it declares; None where that cannot be read.

    Raises:
        InputError: several files were given, and an input or a symbol that none of them has.
    """
    if len(files) < 2:
        return [list(curve) for _ in files]
    declared = [one for _, one in files if one is not None]
    if len(declared) == len(files):
        _refuse("symbol", "--dim", curve[0].dims, [symbol for one in declared for symbol in one.symbols])
        _refuse("input", "--shape", curve[0].shapes, [name for one in declared for name in one.names])
    say_remarks([(name, [] if one is None else _lacking(curve[0], one)) for name, one in files], console)
    return [list(curve) if one is None else _fitting(curve, one) for _, one in files]


def _refuse(what: str, option: str, given: Iterable[str], had: Iterable[str]) -> None:
    listed = list(dict.fromkeys(had))
    for name in given:
        if name not in listed:
            folded = {one.casefold(): one for one in listed}
            close = get_close_matches(name.casefold(), folded, n=1)
            hint = f" Did you mean {folded[close[0]]!r}?" if close else ""
            raise InputError(
                f"{option} names the {what} {name!r}, which none of the files has.{hint} Their {what}s are: "
                f"{', '.join(listed[:20]) or 'none'}."
            )


def _lacking(sizes: Sizes, declared: DeclaredInputs) -> list[str]:
    """A sentence for all that a file lacks of what was given; none where it lacks nothing."""
    options = [f"--dim {symbol}" for symbol in sizes.dims if symbol not in declared.symbols]
    options += [f"--shape {name}" for name in sizes.shapes if name not in declared.names]
    return [f"taken without {' '.join(options)}: nothing is called so there."] if options else []


def _fitting(curve: Sequence[Sizes], declared: DeclaredInputs) -> list[Sizes]:
    points: list[Sizes] = []
    for sizes in curve:
        fitting = Sizes(
            shapes=_among(sizes.shapes, declared.names),
            dims=_among(sizes.dims, declared.symbols),
            varied=tuple(symbol for symbol in sizes.varied if symbol in declared.symbols),
        )
        points += [] if fitting in points else [fitting]
    return points


def _among(given: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    return {name: value for name, value in given.items() if name in names}
