"""Networks of texts put together out of what was read of their parts, where a search space gives them as chains.

A search asks for thousands of new texts of one space, and their networks share nearly all their parts. Each part is
built and read once, in the limited process like a whole network; after that a new text takes a look into a dictionary
for each of its parts.
"""

from collections.abc import Hashable

from latcast.schema import Architecture, InputError
from predictors.features.kernels.parts import ChainTable, PartTable, part_feature
from predictors.features.kernels.table import KERNELS
from predictors.foreign.features import weigh
from predictors.foreign.reader import ReadsFeatures
from predictors.networks import Feature, GraphFeatures
from profilers.caching import Cache
from profilers.onnx_graph.isolated.pool import ModelPart
from profilers.search_spaces import get_space

__all__ = ["ASSEMBLED", "Assembler"]

ASSEMBLED = ""
"""In place of the hash of a graph that nobody built."""
ENTRY_BYTES = 600
"""What a part takes beside its table, about."""


class Assembler:
    """Puts networks together. Keeps what was read of parts in memory. Thread-safe.

    Args:
        reader: builds and reads parts in processes with limits.
        cache_bytes: most that is kept of parts.

    Attributes:
        parts: what was read of parts, or why they cannot be looked at by themselves.
    """

    def __init__(self, reader: ReadsFeatures, *, cache_bytes: int) -> None:
        self._reader = reader
        self.parts: Cache[Hashable, PartTable | InputError] = Cache(
            cache_bytes, weigh=lambda part: weigh(part) + ENTRY_BYTES
        )

    def network(self, architecture: Architecture, kernels: Feature) -> GraphFeatures | None:
        """The kernels of an architecture's network, the same as those of its graph; None where that has to be built.

        Args:
            architecture: in normal form.
            kernels: the feature that is wanted (`predictors.features.kernels.kernels_feature`).
        """
        if kernels[0] != KERNELS:
            return None
        parts = self._parts_of(architecture, kernels)
        if parts is None:
            return None
        return GraphFeatures(
            hash=ASSEMBLED,
            flops=sum([part.flops for part in parts]),
            size=sum([part.size for part in parts]),
            features={kernels: ChainTable(parts)},
        )

    def _parts_of(self, architecture: Architecture, kernels: Feature) -> list[PartTable] | None:
        chain = get_space(architecture.space).chain(architecture)
        if chain is None:
            return None
        shape, in_blocks, last = tuple(chain.shape), False, len(chain.parts) - 1
        read: list[PartTable] = []
        for place, each in enumerate(chain.parts):
            wanted = part_feature(kernels, reads_blocks=in_blocks, last=place == last)
            key = (architecture.space, each.key, shape, wanted)
            part = self.parts.get(key)
            if part is None:
                part = self._read(key, ModelPart(architecture=architecture, place=place, shape=shape), wanted)
            if not isinstance(part, PartTable):
                return None
            read.append(part)
            shape, in_blocks = part.shape, part.gives_blocks
        return read

    def _read(self, key: Hashable, source: ModelPart, wanted: Feature) -> PartTable | InputError | None:
        """A part, or why it cannot be looked at by itself; None where it cannot be built: the whole says why."""
        try:
            value = self._reader.read(source, [wanted]).features[wanted]
        except InputError:
            return None
        return self.parts.put(key, value)
