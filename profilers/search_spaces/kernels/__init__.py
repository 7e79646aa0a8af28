"""A seeded generator of graphs of one kernel, or of few: cheap to measure, over the whole range of real shapes."""

from collections.abc import Mapping
from typing import ClassVar

from profilers.search_spaces.families import Family, FamilySpace
from profilers.search_spaces.kernels import (
    convolutions,
    elementwise,
    irregular,
    lines,
    movement,
    odd_convolutions,
    places,
    products,
    quantised,
    reductions,
    resampling,
    structured,
)

__all__ = ["Kernels"]

MODULES = (convolutions, products, elementwise, reductions, movement, quantised, structured, odd_convolutions, places,
           resampling, irregular, lines)  # fmt: skip
"""New families go to the end: encodings of architectures depend on their order."""
FAMILIES = {family.name: family for module in MODULES for family in module.FAMILIES}


class Kernels(FamilySpace):
    """Single operators and short chains; text and encoding as `FamilySpace` describes them.

    Sizes are drawn log-uniformly, each up to what real networks have (channels to 2,048, maps to 320 × 1,280); graphs
    have at most 0.25 GMACs (0.5 GFLOPs) and 64 MB. Convolutions come in chains of up to three as well, since runtimes
    change layouts at the ends of a chain. Opset 17.
    """

    name: ClassVar[str] = "kernels"
    example: ClassVar[str] = "conv/in=64,out=128,size=28,kernel=3,stride=1,groups=1,activation=relu"
    max_macs: ClassVar[int] = 250_000_000
    max_bytes: ClassVar[int] = 64 * 2**20
    min_work: ClassVar[float] = 1e4
    candidates: ClassVar[int] = 4

    @property
    def families(self) -> Mapping[str, Family]:
        """The families by name, in the order of the encoding."""
        return FAMILIES
