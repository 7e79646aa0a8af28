"""Answers that were given once, kept while nothing of the target changes."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latcast.loops.forecasts import Row

__all__ = ["AnswerMemory"]


class AnswerMemory:
    """Rows by space, level and text. Thread-safe.

    Everything is forgotten when the target's state is another than before, or when there are too many rows.

    Args:
        most_rows: kept at most.
        fresh_s: for how long, in s, a state that was looked at needs no other look.
        settle_s: for how long, in s, answers are not kept after a change: other processes of the service may be a
            moment behind.
    """

    def __init__(self, *, most_rows: int = 1_000_000, fresh_s: float = 0.25, settle_s: float = 1.0) -> None:
        self._most_rows, self._fresh_s, self._settle_s = most_rows, fresh_s, settle_s
        self._changed_at = -float("inf")
        self._rows: dict[tuple[str, float], dict[str, Row]] = {}
        self._facts: dict[tuple[str, float], Mapping[str, Any]] = {}
        self._state: object = None
        self._looked_at = -float("inf")
        self._lock = threading.Lock()

    @property
    def needs_look(self) -> bool:
        """Whether it is time to ask for the target's state."""
        now = time.monotonic()
        return now - self._looked_at >= self._fresh_s or now - self._changed_at < self._settle_s

    def expire(self) -> None:
        """Have the state asked for before the next answer."""
        self._looked_at = -float("inf")

    def saw(self, state: object) -> None:
        """Note the target's state, which was asked for just now; None, where nobody says it, is never the same."""
        with self._lock:
            now = time.monotonic()
            if state != self._state:
                self._changed_at = now
            if state is None or now - self._changed_at <= self._settle_s:
                self._rows.clear()
                self._facts.clear()
            self._state, self._looked_at = state, now

    def missing(self, space: str, level: float, texts: Iterable[str]) -> list[str]:
        """Those of the texts that have no row, each once, in order."""
        rows = self._rows.get((space, level), {})
        return [text for text in dict.fromkeys(texts) if text not in rows]

    def learn(self, space: str, level: float, rows: Mapping[str, Row], facts: Mapping[str, Any]) -> None:
        """Keep rows by their texts, and what is known of who gave them."""
        with self._lock:
            if sum(map(len, self._rows.values())) + len(rows) > self._most_rows:
                self._rows.clear()
            self._rows.setdefault((space, level), {}).update(rows)
            self._facts[space, level] = facts

    def rows(
        self, space: str, level: float, texts: Sequence[str], fresh: Mapping[str, Row]
    ) -> tuple[list[Row] | None, Mapping[str, Any]]:
        """The rows of texts, and facts of who gave them; None where another thread made it forget some.

        Args:
            space: search space of the texts.
            level: that was asked for.
            texts: n of them.
            fresh: rows that were just learnt, which may be forgotten already.
        """
        kept = self._rows.get((space, level), {})
        try:
            rows = [fresh[text] if text in fresh else kept[text] for text in texts]
        except KeyError:
            return None, {}
        return rows, self._facts.get((space, level), {})
