"""A seeded generator of networks like those people export: their families, fields, and export styles."""

from collections.abc import Mapping
from typing import ClassVar

from profilers.search_spaces.families import Family, FamilySpace
from profilers.search_spaces.zoo import (
    boxes,
    convnext,
    decoder,
    dense,
    detector,
    graph_network,
    inception,
    mixer,
    mobile,
    ocr,
    plain,
    quantised,
    recommender,
    recurrent,
    residual,
    restoration,
    segmenter,
    spectrogram,
    speech,
    streaming,
    tabular,
    text_transformer,
    unet,
    vision_transformer,
)

__all__ = ["Zoo"]

MODULES = (
    residual, mobile, plain, inception, dense, convnext, vision_transformer, mixer, unet, restoration, detector,
    text_transformer, recurrent, speech, recommender,
    ocr, streaming, spectrogram, boxes, graph_network, decoder, segmenter, tabular, quantised,
)  # fmt: skip
"""New families go to the end: encodings of architectures depend on their order."""
FAMILIES = {module.FAMILY.name: module.FAMILY for module in MODULES}


class Zoo(FamilySpace):
    """Diverse realistic networks; text and encoding as `FamilySpace` describes them.

    Networks have at most 4 GMACs (8 GFLOPs) and take at most 1 GB, which on one CPU core is 0.02 to 300 ms or so.
    """

    name: ClassVar[str] = "zoo"
    example: ClassVar[str] = "residual/depth=8,width=48,resolution=160,activation=relu,batch=1"
    max_macs: ClassVar[int] = 4 * 10**9
    max_bytes: ClassVar[int] = 10**9
    min_work: ClassVar[float] = 1e5
    candidates: ClassVar[int] = 12

    @property
    def families(self) -> Mapping[str, Family]:
        """The families by name, in the order of the encoding."""
        return FAMILIES
