"""How far apart the reads of a parameter are: what was read before and still fits a cache is cheap.

Of a network that reads each parameter once, runs one after another read a parameter again after all others: between
two reads lie the parameters of the whole network, which is what a forecast reads as `graph_parameter_bytes`. Where a
parameter is read several times in one run (steps that an exporter unrolled, tied weights, the body of a loop), less
lies between two reads: these kernels run like those of a network that is as small (reuse distance; Mattson et al.,
IBM Systems Journal 9, 1970).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from latcast.schema import Node

__all__ = ["NO_READS", "TRACKED_BYTES", "Parameter", "Reads", "Reuse", "carried_unchanged", "reuse", "working_set"]

TRACKED_BYTES = 4096
"""Parameters of at least a page are told from each other; scalars that many kernels share are in no cache's way."""


class Parameter(NamedTuple):
    """A parameter that a kernel reads.

    Args:
        key: the same wherever the parameter is read.
        size_bytes: bytes that are read.
    """

    key: Hashable
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Reads:
    """What a kernel reads of parameters.

    Args:
        parameters: those that other kernels may read too.
        others_bytes: bytes of those that no other kernel reads.
        trips: rounds of the inmost loop around the kernel; 1 outside of loops.
        loop_bytes: bytes of the parameters that one round of that loop reads.
    """

    parameters: tuple[Parameter, ...] = ()
    others_bytes: float = 0.0
    trips: float = 1.0
    loop_bytes: float = 0.0

    def within(self, trips: float, loop_bytes: float) -> "Reads":
        """The reads inside a loop, unless they are inside another one within it."""
        inmost = self.trips > 1 or trips <= 1
        return self if inmost else Reads(self.parameters, self.others_bytes, trips, loop_bytes)


NO_READS = Reads()
"""Of a kernel without parameters, outside of loops."""


def working_set(reads: Sequence[Reads]) -> float:
    """Bytes of all parameters that are read, each counted once."""
    sizes: dict[Hashable, float] = {}
    for each in reads:
        for key, size in each.parameters:
            sizes[key] = max(size, sizes.get(key, 0.0))
    return sum(sizes.values()) + sum([each.others_bytes for each in reads])


@dataclass(frozen=True, slots=True)
class Reuse:
    """What is read again in one run of n kernels.

    Args:
        total_bytes: bytes of all parameters, each counted once.
        between_bytes: of each kernel, mean bytes of parameters between two reads of what it reads, that included.
        warm: of each kernel, the share of its executions, 0–1, that follow one with the same parameters in the same
            run; of a kernel without parameters, the share of all parameter bytes that are read again.
    """

    total_bytes: float
    between_bytes: list[float]
    warm: list[float]


def reuse(reads: Sequence[Reads]) -> Reuse:
    """What is read again.

    Between two reads, what is read several times counts each time, up to the bytes of all parameters. Of the rounds of
    a loop, the first finds what the kernels before left in the caches, the others what a round leaves.

    Args:
        reads: of each kernel, in execution order; runs are taken to follow each other.
    """
    total = working_set(reads)
    sizes: dict[Hashable, list[float]] = {}
    for each in reads:
        for key, size in each.parameters:
            sizes.setdefault(key, []).append(size)
    repeated = {key for key, parts in sizes.items() if len(parts) > 1}
    if not repeated and all(each.trips == 1 for each in reads):
        return Reuse(total, [total] * len(reads), [0.0] * len(reads))
    again = {key: 1 - max(parts) / sum(parts) for key, parts in sizes.items()}
    everything = sum([sum(parts) for parts in sizes.values()]) + sum([each.others_bytes for each in reads])
    overall = 1 - total / everything if everything else 0.0
    between, warm = [], []
    for each, found in zip(reads, _between(reads, repeated, total), strict=True):
        size = sum([part for _, part in each.parameters])
        share = sum([part * again[key] for key, part in each.parameters]) / size if size else overall
        warm.append(1 - (1 - share) / each.trips)
        between.append((found + (each.trips - 1) * min(each.loop_bytes, total)) / each.trips)
    return Reuse(total, between, warm)


def _between(reads: Sequence[Reads], repeated: set[Hashable], total: float) -> list[float]:
    """Mean bytes between the reads of one round, by what each kernel reads; `total` where no parameter is repeated."""
    position, last = 0.0, dict[Hashable, float]()
    ends = []
    for each in reads:
        position += each.others_bytes + sum([size for _, size in each.parameters])
        ends.append(position)
        last.update({key: position for key, _ in each.parameters if key in repeated})
    last = {key: end - position for key, end in last.items()}  # in the run before
    found = []
    for each, end in zip(reads, ends, strict=True):
        size = weighted = 0.0
        for key, part in each.parameters:
            distance = min(total, end - last[key]) if key in repeated else total
            size, weighted = size + part, weighted + part * distance
            if key in repeated:
                last[key] = end
        size, weighted = size + each.others_bytes, weighted + each.others_bytes * total
        found.append(weighted / size if size else total)
    return found


def carried_unchanged(node: Node) -> list[tuple[int, int]]:
    """(tensor outside, tensor of the body) of each state that a Loop's body gives back as it came.

    Exporters of while loops carry weights along as states; no runtime copies them.
    """
    (body,) = node.bodies
    source = {inner.outputs[0]: inner.inputs[0] for inner in body.nodes if inner.operator == "Identity"}
    states = zip(node.inputs[2:], body.inputs[2:], body.outputs[1:], strict=False)
    return [
        (outside, inside)
        for outside, inside, after in states
        if outside >= 0 and (after == inside or source.get(after) == inside)
    ]
