"""Work and sizes of networks that are chains, as sums over their parts: no graph of the whole is built."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from latcast.schema import Architecture, InputError, TensorSpec
from predictors.foreign.features import SUMMARY
from predictors.foreign.reader import ReadsFeatures
from profilers.caching import Cache
from profilers.onnx_graph.isolated.pool import ModelPart
from profilers.search_spaces import get_space
from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.chains import Part, record_part

__all__ = ["PartWork", "WorkOfParts"]

SUMMED = ("macs", "flops", "activation_bytes")


class PartWork(NamedTuple):
    """What one part takes.

    Args:
        sums: what parts add to, by name.
        weight_bytes: of its parameters without `constants`.
        constants: bytes of its small constants by what they are: a network holds equal ones once.
        shape: of what it gives.
    """

    sums: Mapping[str, int]
    weight_bytes: int
    constants: Mapping[Hashable, int]
    shape: tuple[int, ...]


class WorkOfParts:
    """Sums up networks. Keeps what was read of parts in memory. Thread-safe.

    Args:
        reader: builds and reads parts in processes with limits.
        most: parts that are kept.
    """

    def __init__(self, reader: ReadsFeatures, *, most: int) -> None:
        self._reader = reader
        self._parts: Cache[Hashable, PartWork] = Cache(most)

    def of(self, architecture: Architecture) -> dict[str, int] | None:
        """`macs`, `flops`, `parameter_bytes` and `activation_bytes`, those of its graph; None where it is no chain.

        Args:
            architecture: in normal form.
        """
        chain = get_space(architecture.space).chain(architecture)
        if chain is None:
            return None
        total, weights, constants, shape = dict.fromkeys(SUMMED, 0), 0, dict[Hashable, int](), tuple(chain.shape)
        for place, part in enumerate(chain.parts):
            try:
                work = self._of_part(architecture, part, place, shape)
            except InputError:  # what is wrong with it is said of the whole
                return None
            for name in SUMMED:
                total[name] += work.sums[name]
            weights, constants, shape = weights + work.weight_bytes, {**constants, **work.constants}, work.shape
        # What is passed on is not read from outside: the network has one input, that of its first part.
        return {**total, "parameter_bytes": weights + sum(constants.values())}

    def _of_part(self, architecture: Architecture, part: Part, place: int, shape: tuple[int, ...]) -> PartWork:
        key = (architecture.space, part.key, shape, place == 0)
        found = self._parts.get(key)
        if found is None:
            source = ModelPart(architecture=architecture, place=place, shape=shape)
            summary = self._reader.read(source, [SUMMARY]).feature(SUMMARY)
            found = self._parts.put(key, _part_work(summary, _small_constants(part, shape), first=place == 0))
        return found


def _part_work(summary: Mapping[str, Any], constants: Mapping[Hashable, int], *, first: bool) -> PartWork:
    (source,), (result,) = summary["inputs"], summary["outputs"]
    read = 0 if first else _size_bytes(source)
    return PartWork(
        sums={
            "macs": summary["macs"],
            "flops": summary["flops"],
            "activation_bytes": summary["activation_bytes"] - read,
        },
        weight_bytes=summary["parameter_bytes"] - sum(constants.values()),
        constants=constants,
        shape=tuple(result["shape"]),
    )


def _size_bytes(tensor: Mapping[str, Any]) -> int:
    return TensorSpec(name="", dtype=tensor["dtype"], shape=tuple(tensor["shape"])).size_bytes


def _small_constants(part: Part, shape: tuple[int, ...]) -> dict[Hashable, int]:
    net = GraphBuilder("part")
    record_part(net, part, shape)
    return {
        (str(values.dtype), values.shape, values.tobytes()): values.nbytes for _, values in net.recorded().constants
    }
