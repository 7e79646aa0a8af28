"""Values that no shell has read: with the quotation marks of an env file (`KEY="value"`), or with a ~ for the home."""

from pathlib import Path

__all__ = ["at_home", "unquoted"]

_MARKS = frozenset("\"'")


def unquoted(text: str) -> str:
    """A value without blanks around it and without the pair of quotation marks that it stands in, if any."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _MARKS:
        return text[1:-1].strip()
    return text


def at_home(path: Path) -> Path:
    """A path whose ~ in front stands for a user's folder; as it is where nobody knows that folder."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path
