"""Which stored graph is meant by a hash, or by the beginning of one, as tables show it."""

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from latcast.errors import NotFoundError
from latcast.schema import GraphHash, InputError
from service.db.statements import chunks
from service.db.tables import Graph
from service.db.visibility import ALL_ROWS

__all__ = ["find_hash", "find_hashes", "find_hidden_hash", "find_known_hash", "find_wanted_hash"]

_BEGINNING = re.compile(r"(?:g1-)?(?P<digits>[0-9a-f]{8,64})(?:…|\.\.\.)?", re.IGNORECASE)
"""With the ellipsis that the dashboard puts behind one, for whoever copies it along."""
_TOO_SHORT = re.compile(r"(?:g1-)?[0-9a-f]{1,7}|g1-", re.IGNORECASE)
_LISTED = 10
"""Hashes that a message lists."""
_AFTER_DIGITS = "g"
"""A character behind every hexadecimal digit: what begins with a text lies below the text with it at its end."""


def find_hash(session: Session, name: str) -> GraphHash:
    """The hash of the stored graph that a hash, or the beginning of one, means; hidden graphs do not count.

    Args:
        session: reads.
        name: a hash, or its first 8 hexadecimal digits or more; `g1-` may be left out.

    Raises:
        NotFoundError: no hash begins so.
        InputError: several do; the message lists them.
    """
    found = _hashes(session, name)
    return _only(name, found, f"There is no graph {name!r}; upload its model first (POST /v1/graphs).")


def find_hashes(session: Session, names: Sequence[str]) -> list[GraphHash]:
    """As `find_hash`, of many names in order; whole hashes are looked up together.

    Raises:
        NotFoundError, InputError: as `find_hash`, of the first name that is none.
    """
    different = list(dict.fromkeys(names))
    whole = {
        found for part in chunks(different) for found in session.scalars(select(Graph.hash).where(Graph.hash.in_(part)))
    }
    found = {name: name if name in whole else find_hash(session, name) for name in different}
    return [found[name] for name in names]


def find_hidden_hash(session: Session, name: str) -> GraphHash:
    """As `find_hash`, among the graphs that are hidden.

    Raises:
        NotFoundError, InputError: as `find_hash`.
    """
    found = _hashes(session, name, Graph.hidden_unix_s.is_not(None), hidden=True)
    return _only(name, found, f"There is no hidden graph {name!r}.")


def find_known_hash(session: Session, name: str) -> GraphHash:
    """As `find_hash`, among all graphs, hidden or not.

    Raises:
        NotFoundError, InputError: as `find_hash`.
    """
    found = _hashes(session, name, hidden=True)
    return _only(name, found, f"There is no graph {name!r}: its hash begins with g1-.")


def find_wanted_hash(session: Session, name: str) -> str:
    """As `find_known_hash`, for a filter: a name that no graph has stays as it is, and nothing fits to it.

    Raises:
        InputError: several hashes begin so.
    """
    try:
        return find_known_hash(session, name)
    except NotFoundError:
        return name


def _hashes(session: Session, name: str, *conditions: ColumnElement[bool], hidden: bool = False) -> list[GraphHash]:
    """The hash of that name alone, else those that begin with it, in order; one more than are listed at most."""
    query = select(Graph.hash).where(*conditions).order_by(Graph.hash).limit(_LISTED + 1)
    if hidden:
        query = query.execution_options(**ALL_ROWS)
    exact = list(session.scalars(query.where(Graph.hash == name)))
    beginning = _BEGINNING.fullmatch(name)
    if exact or beginning is None:
        return exact
    start = f"g1-{beginning['digits'].lower()}"  # a range, for which the key's index is read
    return list(session.scalars(query.where(Graph.hash >= start, Graph.hash < start + _AFTER_DIGITS)))


def _only(name: str, found: list[GraphHash], absent: str) -> GraphHash:
    if len(found) > 1:
        more = ", and more" if len(found) > _LISTED else ""
        raise InputError(f"Several graphs begin with {name!r}: {', '.join(found[:_LISTED])}{more}. Give more digits.")
    if found:
        return found[0]
    short = " A hash may be shortened to its first 8 digits, not to fewer." if _TOO_SHORT.fullmatch(name) else ""
    raise NotFoundError(absent + short)
