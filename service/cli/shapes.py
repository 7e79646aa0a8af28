"""Reads the shapes that `--shape` takes: the one syntax of all commands."""

from collections.abc import Sequence

import typer

__all__ = ["parse_shapes"]

EXAMPLE = "x=1,3,224,224"
BRACKETS = ("[]", "()")


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
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        if not equals:
            raise typer.BadParameter(f"--shape {text!r} has no '=' between name and sizes: write it as {EXAMPLE}.")
        if not name.strip():
            raise typer.BadParameter(f"--shape {text!r} names no input before its last '=': write it as {EXAMPLE}.")
        if name in shapes:
            raise typer.BadParameter(f"--shape names the input {name!r} twice: {text!r} and another one.")
        shapes[name] = _sizes(text, sizes)
    return shapes


def _sizes(text: str, sizes: str) -> tuple[int, ...]:
    inner = _without_brackets(text, sizes.strip())
    parts = inner.lower().replace("×", ",").replace("x", ",").split(",") if inner else []
    return tuple(_size(text, part.strip()) for part in parts)


def _without_brackets(text: str, sizes: str) -> str:
    ends = sizes[:1] + sizes[-1:]
    if len(sizes) > 1 and ends in BRACKETS:
        return sizes[1:-1].strip()
    if set(ends) & set("".join(BRACKETS)):
        raise typer.BadParameter(
            f"--shape {text!r} opens or closes a bracket without the other: write it as {EXAMPLE}."
        )
    return sizes


def _size(text: str, part: str) -> int:
    if not (part.isascii() and part.isdigit()):
        wrong = f"the size {part!r} is not a whole number" if part else "a size is missing"
        raise typer.BadParameter(f"--shape {text!r}: {wrong}; write it as {EXAMPLE}.")
    return int(part)
