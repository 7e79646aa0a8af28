"""Built-in and foreign implementations enter by one door: entry points."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from latcast.schema import UnknownNameError

__all__ = ["names", "plugin"]


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"latcast.{group}")}


def names(group: str) -> tuple[str, ...]:
    """Names registered in the entry-point group `latcast.<group>`, sorted; nothing is imported."""
    return tuple(sorted(_found(group)))


def plugin(group: str, name: str) -> Any:
    """The object registered as `name` in `latcast.<group>`, imported now.

    Raises:
        UnknownNameError: the name is not registered.
    """
    try:
        entry = _found(group)[name]
    except KeyError:
        what = group.replace("_", " ").removesuffix("s")
        raise UnknownNameError(what, name, names(group)) from None
    return entry.load()
