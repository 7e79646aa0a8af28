"""Networks of texts put together out of what was read of their parts, where a search space gives them in parts.

A search asks for thousands of new texts of one space, and their networks share nearly all their parts. Each part is
built and read once, in the limited process like a whole network; after that a new text takes a look into a dictionary
for each of its parts.
"""

from collections.abc import Generator, Hashable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import NamedTuple

import structlog

from latcast.schema import Architecture, InputError
from predictors.execution.side_by_side import side_by_side
from predictors.features.kernels.parts import BLOCKED, CONVERTED, ChainTable, PartTable, layout_code, part_feature
from predictors.features.kernels.table import KERNELS
from predictors.foreign.features import weigh
from predictors.foreign.reader import ReadsFeatures
from predictors.networks import Feature, GraphFeatures
from profilers.caching import Cache
from profilers.host.cancellation import WorkCancelledError, check_wanted
from profilers.onnx_graph.isolated.pool import ModelPart
from profilers.search_spaces import get_space

__all__ = ["ASSEMBLED", "Assembler"]

log = structlog.get_logger(__name__)

ASSEMBLED = ""
"""In place of the hash of a graph that nobody built."""
ENTRY_BYTES = 600
"""What a part takes beside its table, about."""


Known = PartTable | InputError | None
"""What is known of a part: why it cannot be looked at by itself, or nothing."""


class _Lacking(NamedTuple):
    """A part that nobody has read.

    Args:
        key: in the cache.
        source: what is to be built.
        feature: what is to be read of it.
    """

    key: Hashable
    source: ModelPart
    feature: Feature


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

    def networks(self, architectures: Sequence[Architecture], kernels: Feature) -> list[GraphFeatures | None]:
        """The kernels of each network, the same as those of its graph; None where that has to be built.

        What several networks lack is read once, and parts that wait for nothing are read side by side.

        Args:
            architectures: in normal form.
            kernels: the feature that is wanted (`predictors.features.kernels.kernels_feature`).

        Raises:
            WorkCancelledError: nobody waits for them any more.
        """
        found: list[GraphFeatures | None] = [None] * len(architectures)
        if kernels[0] != KERNELS:
            return found
        seen: dict[str, dict[Hashable, Known]] = {each.space: {} for each in architectures}
        walks = {place: self._walk(each, kernels, seen[each.space]) for place, each in enumerate(architectures)}
        given: dict[int, Known] = {}
        while walks:
            lacking: dict[Hashable, tuple[_Lacking, list[int]]] = {}
            for place, walk in list(walks.items()):
                check_wanted()
                try:
                    part = walk.send(given.get(place))
                except StopIteration as end:
                    found[place] = end.value
                    del walks[place]
                except WorkCancelledError:
                    raise
                except Exception as error:
                    log.warning("a network was not put together", space=architectures[place].space, exc_info=error)
                    del walks[place]
                else:
                    lacking.setdefault(part.key, (part, []))[1].append(place)
            read = self._read([part for part, _ in lacking.values()])
            given = {place: part for part, (_, places) in zip(read, lacking.values(), strict=True) for place in places}
        return found

    def _walk(
        self, architecture: Architecture, kernels: Feature, seen: dict[Hashable, Known]
    ) -> Generator[_Lacking, Known, GraphFeatures | None]:
        """Goes from part to part; gives what it lacks, and is sent what was read of it.

        Args:
            architecture: whose network is put together.
            kernels: the feature that is wanted.
            seen: parts of the space that networks of the same call have, so that the cache is asked once for each.
        """
        network = get_space(architecture.space).parts(architecture)
        if network is None:
            return None
        # Of the network's input, then of what each part gives.
        shapes, layouts, last = [tuple(network.shape)], [0], len(network.parts) - 1
        parts: list[PartTable] = []
        for place, each in enumerate(network.parts):
            reads = (place,) if each.reads is None else [read + 1 for read in each.reads]
            shape = shapes[reads[0]]
            code = layouts[place] if each.reads is None else layout_code([layouts[read] for read in reads])
            here = (each.key, shape, code, place == last)
            part = seen.get(here)
            if part is None:
                key = (architecture.space, kernels, *here)
                part = self.parts.get(key)
                if part is None:
                    source = ModelPart(architecture=architecture, place=place, shape=shape)
                    part = yield _Lacking(key, source, part_feature(kernels, layouts=code, last=place == last))
                seen[here] = part
            if not isinstance(part, PartTable):
                return None
            parts.append(part)
            shapes.append(part.shape)
            layouts.append(BLOCKED if part.gives_blocks else 0)
            for read in part.converts:
                layouts[reads[read]] |= CONVERTED
        return GraphFeatures(
            hash=ASSEMBLED,
            flops=sum([part.flops for part in parts]),
            size=sum([part.size for part in parts]),
            features={kernels: ChainTable(parts)},
        )

    def _read(self, lacking: Iterable[_Lacking]) -> list[Known]:
        return side_by_side(self._read_in_context, [(copy_context(), part) for part in lacking])

    def _read_in_context(self, task: tuple[Context, _Lacking]) -> Known:
        """The part, or why it cannot be looked at by itself; None where it cannot be built: the whole says why."""
        context, part = task
        try:
            read = context.run(self._reader.read, part.source, [part.feature])
        except WorkCancelledError:
            raise
        except Exception as error:
            if not isinstance(error, InputError):
                log.warning("a part of a network was not read", space=part.source.architecture.space, exc_info=error)
            return None
        return self.parts.put(part.key, read.features[part.feature])
