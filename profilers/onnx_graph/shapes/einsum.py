"""Work of an Einsum, from its equation."""

from collections.abc import Sequence
from math import prod

__all__ = ["einsum_macs", "labels_of", "terms_of"]


def einsum_macs(equation: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiply-accumulates when all operands are contracted at once.

    Every combination of label values multiplies the operands together once: the product of all label sizes, times
    one multiplication for each operand after the first. A single operand is only moved or summed: no products.

    Args:
        equation: for example `bij,bjk->bik`; `...` stands for leading axes that broadcast.
        shapes: of the operands; an equation that does not fit them counts nothing.
    """
    terms = terms_of(equation)
    if len(terms) != len(shapes) or len(terms) < 2:
        return 0
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(labels_of(term, len(shape)), shape, strict=False):
            sizes[label] = max(sizes.get(label, 1), size)
    return prod(sizes.values()) * (len(terms) - 1)


def terms_of(equation: str) -> list[str]:
    """The labels of each operand, as they are written."""
    return equation.replace(" ", "").split("->")[0].split(",")


def labels_of(term: str, rank: int) -> list[str]:
    """One label for each axis of an operand; axes under the ellipsis count from the right, as broadcasting does."""
    before, dots, after = term.partition("...")
    hidden = max(rank - len(before) - len(after), 0) if dots else 0
    return [*before, *(f"...{at}" for at in range(hidden, 0, -1)), *after]
