"""Work of an Einsum, from its equation."""

from collections.abc import Sequence
from math import prod

__all__ = ["einsum_macs"]


def einsum_macs(equation: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiply-accumulates when all operands are contracted at once.

    Every combination of label values multiplies the operands together once: the product of all label sizes, times
    one multiplication for each operand after the first. A single operand is only moved or summed: no products.

    Args:
        equation: for example `bij,bjk->bik`; `...` stands for leading axes that broadcast.
        shapes: of the operands; an equation that does not fit them counts nothing.
    """
    terms = equation.replace(" ", "").split("->")[0].split(",")
    if len(terms) != len(shapes) or len(terms) < 2:
        return 0
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(_labels(term, len(shape)), shape, strict=False):
            sizes[label] = max(sizes.get(label, 1), size)
    return prod(sizes.values()) * (len(terms) - 1)


def _labels(term: str, rank: int) -> list[str]:
    """One label for each axis; axes under the ellipsis are counted from the right, as broadcasting does."""
    before, dots, after = term.partition("...")
    hidden = max(rank - len(before) - len(after), 0) if dots else 0
    return [*before, *(f"...{at}" for at in range(hidden, 0, -1)), *after]
