"""Groups of commands, whose help says in whole sentences what each command does."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["Group"]

LONGEST = 500
"""Characters of a summary; a first sentence has fewer."""


class Group(TyperGroup):
    """A group whose list of commands is wrapped where it is too wide, and never cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line or more for each command: its name and the first sentence of its help."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(LONGEST)) for name, one in commands if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
