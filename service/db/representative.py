"""Which of several rows about the same thing represents it."""

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, TypeVar

__all__ = ["representatives"]


class Repeated(Protocol):
    """A row of what may be measured again; a later one has a greater id."""

    @property
    def id(self) -> int:
        """Number of the row."""
        ...

    @property
    def noisy(self) -> bool:
        """Whether the measurement is flagged as noisy."""
        ...


R = TypeVar("R", bound=Repeated)
K = TypeVar("K", bound=Hashable)


def representatives(rows: Iterable[R], *, key: Callable[[R], K]) -> dict[K, R]:
    """Of each key the newest row that is not noisy, else the newest."""
    chosen: dict[K, R] = {}
    for row in rows:
        other = chosen.get(name := key(row))
        if other is None or (not row.noisy, row.id) > (not other.noisy, other.id):
            chosen[name] = row
    return chosen
