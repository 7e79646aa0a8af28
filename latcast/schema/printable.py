"""Foreign texts made harmless before a terminal, a log or a person sees them.

Names of devices, reasons of agents, paths and messages of runtimes come from outside. Written to a terminal as they
are, control characters in them move the cursor, change colours and titles, or reverse the direction of what follows.
"""

import json
import unicodedata
from typing import Any

__all__ = ["json_text", "visible", "visible_lines"]

INDENT = "  "
"""What stands before each further line of a text, so that none looks like a message of its own."""


def visible(text: str) -> str:
    """The text on one line, with every character that acts or cannot be seen as its escape, such as `\\x1b`.

    That is whatever has no glyph: C0 and C1 controls, line ends, marks of direction, lone surrogates, characters that
    are not assigned. Blanks of any script stay.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def visible_lines(text: str, *, indent: str = INDENT) -> str:
    """The text as lines of visible characters; lines after the first are indented.

    Args:
        text: what somebody else wrote; tabs are blanks.
        indent: what stands before further lines.
    """
    lines = text.replace("\r\n", "\n").expandtabs(4).rstrip("\n").split("\n")
    return f"\n{indent}".join(map(visible, lines))


def json_text(value: Any) -> str:
    """The value as indented JSON for people and programs; characters that act on a terminal are JSON's escapes."""
    lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in lines)


def _escaped(character: str) -> str:
    return character if _shown(character) == character else json.dumps(character)[1:-1]


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
