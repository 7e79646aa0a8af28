"""Calls for forecasts of texts of one space, as JSON says them: recognised at once, or left to the route."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from service.api.door.json_bodies import count_values
from service.api.forecast_arrow import ARROW, arrow_stream
from service.api.forecast_json import columns_json, form_of, item_lines, items_json, several_json
from service.api.schemas.forecasts import LEAST_LEVEL, MOST_LEVEL, MOST_TARGETS
from service.forecasting.memory import Prepared
from service.settings import Settings

__all__ = ["QuickCall", "read_call", "written"]

LONGEST_TEXT = 2_000
ITEM = frozenset({"space", "text"})
LIST, COLUMNS = frozenset({"items", "level"}), frozenset({"space", "texts", "level"})


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickCall:
    """What a call asks for.

    Args:
        targets: one, or where the answer has one for each, `several`.
        several: see above.
        space: name of a search space.
        texts: n of them.
        level: of the intervals.
        columns: whether the answer is one list for each quantity.
    """

    targets: Sequence[str]
    several: bool
    space: str
    texts: Sequence[str]
    level: float
    columns: bool

    @property
    def form(self) -> str:
        """What metrics call it."""
        return form_of(len(self.texts), columns=self.columns)

    @property
    def count(self) -> int:
        """Number of forecasts."""
        return len(self.texts) * len(self.targets)


def read_call(text: bytes, settings: Settings) -> QuickCall | None:
    """What the JSON asks for; None where it is unusual, or wrong."""
    try:
        count_values(iter([text]), settings.max_json_values)
        plain = from_json(text, allow_inf_nan=False, cache_strings="none")
    except Exception:  # noqa: BLE001 - the route says what is wrong
        return None
    if not isinstance(plain, dict) or ("target" in plain) == ("targets" in plain):
        return None
    several = "targets" in plain
    targets = plain.pop("targets") if several else [plain.pop("target")]
    if not isinstance(targets, list) or not 0 < len(targets) <= MOST_TARGETS:
        return None
    columns = "texts" in plain
    space, texts = _columns(plain) if columns else _items(plain, settings.max_predict_items)
    level = plain.get("level", 0.9)
    if not texts or len(texts) * len(targets) > settings.max_predict_columns:
        return None
    strings = isinstance(space, str) and set(map(type, targets)) == set(map(type, texts)) == {str}
    if (
        not strings
        or type(level) is not float
        or not LEAST_LEVEL <= level <= MOST_LEVEL
        or max(map(len, texts)) > LONGEST_TEXT
    ):
        return None
    return QuickCall(targets=targets, several=several, space=space, texts=texts, level=level, columns=columns)


def _items(plain: dict[str, Any], most: int) -> tuple[Any, list[Any]]:
    """(space, texts) of a list of items; no texts where something is unusual."""
    items = plain.get("items")
    if not plain.keys() <= LIST or not isinstance(items, list) or len(items) > most:
        return None, []
    try:
        texts = [item["text"] for item in items]
        spaces = {item["space"] for item in items}
        odd = any(len(item) != len(ITEM) for item in items)
    except (TypeError, KeyError):
        return None, []
    return (None, []) if odd or len(spaces) != 1 else (spaces.pop(), texts)


def _columns(plain: dict[str, Any]) -> tuple[Any, list[Any]]:
    texts = plain["texts"]
    usual = plain.keys() <= COLUMNS and isinstance(texts, list)
    return (plain.get("space"), texts) if usual else (None, [])


def written(call: QuickCall, prepared: Sequence[Prepared], *, as_arrow: bool) -> tuple[bytes, str]:
    """(the answer, its media type), where each target's answers are prepared."""
    if as_arrow and call.columns:
        columns = [each.answers(call.level) for each in prepared]
        return arrow_stream([(*pair, {}) for pair in zip(call.targets, columns, strict=True)], call.level), ARROW
    answers = [_json(call, target, each) for target, each in zip(call.targets, prepared, strict=True)]
    return (several_json(call.level, answers) if call.several else answers[0]), "application/json"


def _json(call: QuickCall, target: str, prepared: Prepared) -> bytes:
    if call.columns:
        return columns_json(target, call.level, prepared.answers(call.level), {})
    return items_json(target, call.level, prepared.lines(call.level, item_lines))
