"""Search spaces, found through the entry points `latcast.search_spaces`."""

from functools import cache

from profilers.plugins import names, plugin
from profilers.search_spaces.base import Encoding, SearchSpace

__all__ = ["Encoding", "SearchSpace", "get_space", "space_names"]


def space_names() -> tuple[str, ...]:
    """Names of all registered search spaces."""
    return names("search_spaces")


@cache
def get_space(name: str) -> SearchSpace:
    """The search space of that name.

    Raises:
        UnknownNameError: no such space.
    """
    space: SearchSpace = plugin("search_spaces", name)()
    return space
