"""A seeded generator of networks like those people export: fifteen families, their fields, and export styles."""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import numpy as np

from profilers.schema import Architecture
from profilers.search_spaces.families import Family, FamilySpace
from profilers.search_spaces.zoo import (
    convnext,
    dense,
    detector,
    inception,
    mixer,
    mobile,
    plain,
    recommender,
    recurrent,
    residual,
    restoration,
    speech,
    text_transformer,
    unet,
    vision_transformer,
)

__all__ = ["Zoo"]

MODULES = (
    residual, mobile, plain, inception, dense, convnext, vision_transformer, mixer, unet, restoration, detector,
    text_transformer, recurrent, speech, recommender,
)  # fmt: skip
FAMILIES = {module.FAMILY.name: module.FAMILY for module in MODULES}

MIN_MACS, MAX_MACS = 2e4, 4e9
CANDIDATES = 12
CLOSE = 2.0


class Zoo(FamilySpace):
    """Diverse realistic networks; text and encoding as `FamilySpace` describes them.

    Networks have at most 4 GMACs (8 GFLOPs) and take at most 1 GB, which on one CPU core is 0.02 to 300 ms or so.
    """

    name: ClassVar[str] = "zoo"
    example: ClassVar[str] = "residual/depth=8,width=48,resolution=160,activation=relu,batch=1"
    max_macs: ClassVar[int] = int(MAX_MACS)
    max_bytes: ClassVar[int] = 10**9

    @property
    def families(self) -> Mapping[str, Family]:
        """The families by name, in the order of the encoding."""
        return FAMILIES

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A family by weight, and of several of its networks the one nearest to a log-uniform number of MACs."""
        shares = np.array([family.weight for family in FAMILIES.values()])
        family = tuple(FAMILIES.values())[int(rng.choice(len(shares), p=shares / shares.sum()))]
        wanted = rng.uniform(log(MIN_MACS), log(MAX_MACS))
        best, distance = None, float("inf")
        for _ in range(CANDIDATES):
            drawn = self._draw(family, rng)
            if drawn is None:
                continue
            far = abs(log(max(1, drawn[1].macs)) - wanted)
            if far < distance:
                best, distance = drawn[0], far
            if far < log(CLOSE):
                break
        return best if best is not None else self.sample(rng)
