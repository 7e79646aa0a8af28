"""Search spaces, found through the entry points `latcast.search_spaces`."""

from functools import cache, lru_cache

from profilers.plugins import names, plugin
from profilers.search_spaces.base import Encoding, Position, SearchSpace

__all__ = ["Encoding", "Position", "SearchSpace", "get_space", "space_names"]


def space_names() -> tuple[str, ...]:
    """Names of all registered search spaces."""
    return names("search_spaces")


@lru_cache(maxsize=256)
def get_space(name: str) -> SearchSpace:
    """The search space of that name, or of a name that people use for it (`ofa`, `NAS-Bench-201`).

    Raises:
        UnknownNameError: no such space.
    """
    known = space_names()
    if name not in known:
        wanted = _letters(name)
        for candidate in known if len(name) <= _LONGEST_ALIAS else ():
            if wanted == _letters(candidate) or wanted in map(_letters, _space(candidate).aliases):
                return _space(candidate)
    return _space(name)


_LONGEST_ALIAS = 40


@cache
def _space(name: str) -> SearchSpace:
    space: SearchSpace = plugin("search_spaces", name)()
    return space


def _letters(name: str) -> str:
    """A name in small letters and digits, so that spellings of one name are equal."""
    return "".join(character for character in name.lower() if character.isalnum())
