"""Numbers of things in sentences: `1 measurement`, `1,234 measurements`."""

__all__ = ["counted"]


def counted(number: float, singular: str, plural: str = "") -> str:
    """A number and what it counts, in the form that goes with the number.

    Args:
        number: how many there are.
        singular: what stands after 1, with whatever else depends on the number: "row", "row was", "latency".
        plural: what stands after all other numbers; where left out, `singular` with the ending that its last letters
            take ("rows", "latencies", "searches").
    """
    digits = f"{int(number):,}" if number == int(number) else f"{number:,g}"
    return f"{digits} {singular if number == 1 else plural or _plural(singular)}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
