"""Counter readers, found through the entry points `latcast.counters`."""

from profilers.counters.base import CounterReader
from profilers.plugins import names, plugin

__all__ = ["CounterReader", "counter_names", "get_counter_reader"]


def counter_names() -> tuple[str, ...]:
    """Names of all registered readers."""
    return names("counters")


def get_counter_reader(name: str) -> CounterReader:
    """A new reader of that name.

    Raises:
        UnknownNameError: no such reader.
    """
    reader: CounterReader = plugin("counters", name)()
    return reader
