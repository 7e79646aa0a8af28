"""What microbenchmarks say of a target: its descriptor where no counter tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from latcast.schema.device import Environment, Target

__all__ = ["MICROBENCH_VERSION", "Microbench"]

MICROBENCH_VERSION = 1
"""Version of the probes and of how they are timed; entries of different versions do not compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Microbench:
    """One run of all microbenchmarks on a target.

    Args:
        target: the target that was measured.
        values: entry → value, positive; the `microbench` of `DeviceEvidence`. Entries that end in `_ms` are times, the
            others have no unit. `profilers.microbench` describes each.
        spread: entry → (highest − lowest) / value of what each process for itself would say.
        missing: entry → why the target has none.
        before, after: the host's state around the run.
        noisy: the sentinel drifted more than 5 % in most processes, these differ by more than 20 % in most entries, or
            a CPU quota stopped them in more than 5 % of its periods.
        sentinel_ms: its latency in ms before and after each process.
        seconds: duration of the run.
        version: version of the probes.
    """

    target: Target
    values: Mapping[str, float]
    spread: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    before: Environment | None = None
    after: Environment | None = None
    noisy: bool = False
    sentinel_ms: tuple[float, ...] = ()
    seconds: float = 0.0
    version: int = MICROBENCH_VERSION
