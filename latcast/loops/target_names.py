"""Which target is meant by what people call it: an id, the beginning of one, a device's name, or words of its label."""

from collections.abc import Mapping, Sequence
from typing import Any

from latcast.schema import InputError, UnknownNameError

__all__ = ["find_target", "has_words", "named_target"]

MOST_LISTED = 20
"""Targets that a message lists."""


def find_target(
    targets: Sequence[Mapping[str, Any]], wanted: str | None, *, spaces: Sequence[str] = ()
) -> Mapping[str, Any]:
    """The one target that is meant.

    Args:
        targets: as the service lists them.
        wanted: an id, the beginning of one, a device's name, or words of device and label; None for the only target, or
            the only one that is offered. Of several that fit, the only one that is offered is meant.
        spaces: search spaces of the networks that the target is named for. Of several that fit, those are meant that
            can be asked about one of them: an imported table has the networks of one space.

    Raises:
        InputError: no target, or more than one, fits; the message lists them.
    """
    if not targets:
        raise InputError("The service knows no target yet: run `latcast agent` on the device to register one.")
    matches = list(targets) if wanted is None else _fitting(targets, wanted)
    if not matches:
        raise UnknownNameError("target", wanted or "", [_described(target) for target in targets])
    if spaces:
        matches = [target for target in matches if _space_of(target) in (None, *spaces)] or matches
    offered = [target for target in matches if target.get("offered")]
    if len(offered) == 1:
        return offered[0]
    if len(matches) > 1:
        raise InputError(f"Several targets fit; choose one by its id (--target ID): {_listed(matches)}.")
    return matches[0]


def named_target(targets: Sequence[Mapping[str, Any]], wanted: str) -> str:
    """The id of the target that is meant, for what cannot be guessed at: of several that fit none is chosen.

    Args:
        targets: as the service lists them.
        wanted: as `find_target` takes it.

    Returns:
        The id; `wanted` as it is where none fits, which the service then says of targets that it does not list.

    Raises:
        InputError: several fit; the message lists them.
    """
    matches = _fitting(targets, wanted)
    if len(matches) > 1:
        raise InputError(f"Several targets fit {wanted!r}; name one by its id: {_listed(matches)}.")
    return str(matches[0]["id"]) if matches else wanted


def _space_of(target: Mapping[str, Any]) -> str | None:
    """The search space of an imported table; None for targets that measure any network."""
    space: str | None = target.get("options", {}).get("space")
    return space


def _listed(targets: Sequence[Mapping[str, Any]]) -> str:
    more = f"; and {len(targets) - MOST_LISTED:,} more" if len(targets) > MOST_LISTED else ""
    return "; ".join(map(_described, targets[:MOST_LISTED])) + more


def _described(target: Mapping[str, Any]) -> str:
    return f"{target['id']} ({target['device_name']}, {target['label']})"


def _fitting(targets: Sequence[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    """The targets of that id; else those whose id begins so or whose device has the name; else those with the words."""
    return (
        [target for target in targets if target["id"] == wanted]
        or [target for target in targets if target["id"].startswith(wanted) or target["device_name"] == wanted]
        or [target for target in targets if has_words(f"{target['device_name']} {target['label']}", wanted)]
    )


def has_words(text: str, wanted: str) -> bool:
    """Whether a text has every one of these words, in any order and case; `a=b` is also the words `a` and `b`."""
    words = text.casefold().split()
    parts = [part for word in words for part in word.split("=")]
    return bool(wanted.strip()) and set(wanted.casefold().split()) <= {*words, *parts}
