"""Messages about texts that are not architectures."""

from latcast.schema import InvalidArchitectureError

__all__ = ["invalid"]

MAX_SHOWN = 60


def invalid(space: str, text: str, position: int, problem: str, example: str) -> InvalidArchitectureError:
    """The error for a text of a search space.

    Args:
        space: name of the space.
        text: what was given; shown shortened.
        position: index of the character where it goes wrong.
        problem: a clause that says what is wrong there.
        example: a valid text.
    """
    shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return InvalidArchitectureError(
        f"{shown!r} is not an architecture of {space}: at character {position}, {problem}. "
        f"A valid text is, for example, {example!r}."
    )
