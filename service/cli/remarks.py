"""What commands say of networks below their tables: remarks, each once, with the networks that it is about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from service.cli.tables import say

__all__ = ["say_remarks", "warnings_of"]

MOST_NAMED = 3


def say_remarks(remarks: Iterable[tuple[str, Sequence[str]]], out: Console) -> None:
    """Print the remarks.

    Args:
        remarks: name of each network with the sentences about it; without a name the sentences stand alone.
        out: where to.
    """
    about: dict[str, list[str]] = {}
    for name, sentences in remarks:
        for sentence in sentences:
            about.setdefault(sentence, []).append(name)
    for sentence, names in about.items():
        listed = _listed([name for name in dict.fromkeys(names) if name])
        say(f"{listed}: {sentence}" if listed else sentence, out, style="yellow")


def warnings_of(answer: Mapping[str, Any]) -> list[str]:
    """What an answer says of the predictor that gave it, as `say_remarks` takes it."""
    return [warning] if (warning := answer.get("warning")) else []


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
