"""Which events hardware counts: rates of others say what the operating system did, and little about the machine."""

from profilers.counters.perf_event import EVENTS, SOFTWARE
from profilers.counters.process import FIELDS

__all__ = ["SYSTEM_EVENTS", "is_hardware_event"]

SYSTEM_EVENTS = frozenset(FIELDS) | {event for event, (kind, _) in EVENTS.items() if kind == SOFTWARE}
"""Events that the operating system counts on every machine, hardware counters or not."""


def is_hardware_event(event: str) -> bool:
    """Whether hardware counts the event, as far as is known: those of plug-ins are taken to be."""
    return event not in SYSTEM_EVENTS
