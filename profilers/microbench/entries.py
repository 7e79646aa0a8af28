"""What the entries of a microbenchmark mean, and how they come out of the probes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from latcast.schema.figures import rate
from profilers.microbench.child import single
from profilers.microbench.probes import CHAIN, PROBES, THREADED

__all__ = ["ENTRIES", "Entry", "entries_of", "missing_entries"]

CHAIN_SHORT, CHAIN_LONG = "chain_short", "chain_long"
LEAST_LAUNCH_MS = 1e-6
"""A runtime that compiles a chain into one kernel launches nothing; entries are positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry.

    Args:
        name: ends in `_ms` where it is a time.
        about: what it tells, for people.
        macs: multiply-accumulates that take this time; 0 where there are none to speak of.
        moved_bytes: bytes that are read and written at least in this time, where memory is what it takes; else 0.
        sources: names of the samples that it comes from.
    """

    name: str
    about: str
    macs: int = 0
    moved_bytes: int = 0
    sources: tuple[str, ...]

    def rate(self, value: float) -> str:
        """What the time comes to, for example `48.2 GMAC/s`; empty where it comes to nothing."""
        if self.moved_bytes:
            return f"{rate(self.moved_bytes / value / 1e6)} GB/s"
        return f"{rate(self.macs / value / 1e6)} GMAC/s" if self.macs else ""


def _entries() -> Iterator[Entry]:
    yield Entry(name="call_ms", about="a call with one tiny kernel", sources=(CHAIN_SHORT,))
    yield Entry(name="launch_ms", about="each further kernel", sources=(CHAIN_SHORT, CHAIN_LONG))
    for probe in PROBES:
        if probe.name not in {CHAIN_SHORT, CHAIN_LONG}:
            yield Entry(name=f"{probe.name}_ms", about=probe.about, macs=probe.macs, moved_bytes=probe.moved_bytes,
                        sources=(probe.name,))  # fmt: skip
    for name, kind in THREADED.items():
        yield Entry(name=f"{name}_thread_gain", about=f"gain by threads, {kind}",
                    sources=(single(name), name))  # fmt: skip


NODES = {probe.name: probe.nodes for probe in PROBES}
ENTRIES: tuple[Entry, ...] = tuple(_entries())


def entries_of(times_ms: Mapping[str, float], *, threads: int) -> dict[str, float]:
    """Entry → value, of those whose probes were timed.

    Args:
        times_ms: time of one run of each probe.
        threads: threads of the target; with one of them the gain by threads is 1.
    """
    times = {**{single(name): times_ms[name] for name in THREADED if name in times_ms and threads == 1}, **times_ms}
    return {entry.name: _value(entry, times) for entry in ENTRIES if all(source in times for source in entry.sources)}


def _value(entry: Entry, times_ms: Mapping[str, float]) -> float:
    times = [times_ms[source] for source in entry.sources]
    if entry.name == "launch_ms":
        return max((times[1] - times[0]) / CHAIN, LEAST_LAUNCH_MS)
    return times[0] / times[1] if len(times) == 2 else times[0] / NODES[entry.sources[0]]


def missing_entries(values: Mapping[str, float], reasons: Mapping[str, str]) -> dict[str, str]:
    """Entry → why it has no value.

    Args:
        values: the entries that have one.
        reasons: why probes were not timed, by their name.
    """
    return {
        entry.name: next((reasons[source] for source in entry.sources if source in reasons), "It was not timed.")
        for entry in ENTRIES
        if entry.name not in values
    }
