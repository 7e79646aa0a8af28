"""Writes `docs/reference/cli.md` out of the commands themselves; a test says when the page is no longer theirs."""

import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from service.cli import guard
from service.cli.main import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
HEAD = """# The command line

This page is written by `scripts/docs` out of the commands themselves: `latcast COMMAND --help` says the same. A failure
is a sentence on standard error; with `--debug`, wherever it stands in the command, the trace is shown as well.
"""
EXAMPLES = re.compile(r"^Examples?( \(.*\))?:\n", re.MULTILINE)
TYPES = {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT", datetime: "TIME"}


def exit_codes() -> str:
    """The table of exit codes, as the guard around the commands has it."""
    lines = (guard.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|")).replace("| code |", "| exit code |") + "\n"


def page() -> str:
    """The whole page as Markdown."""
    commands = list(leaves(get_command(app), ("latcast",)))
    index = "\n".join(f"| [`{name}`](#{name.replace(' ', '-')}) | {summary(command)} |" for name, command in commands)
    sections = "\n".join(section(name, command) for name, command in commands)
    return f"{HEAD}\n{exit_codes()}\n| command | what it does |\n| --- | --- |\n{index}\n\n{sections}"


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name; of groups those that do something, too."""
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    if len(path) > 1 and command.invoke_without_command:
        yield " ".join(path), command
    for name, child in children.items():
        if not child.hidden:
            yield from leaves(child, (*path, name))


def summary(command: Any) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join(command.help.split("\n\n")[0].split())


def section(name: str, command: Any) -> str:
    """A command's help, its parameters and its examples."""
    text, examples = text_and_examples(inspect.cleandoc(command.help).replace("\b\n", ""))
    rows = "\n".join(parameter_row(parameter) for parameter in command.params if not parameter.hidden)
    parts = [f"## {name}\n", text.strip() + "\n"]
    if rows:
        parts.append(f"| | default | what it means |\n| --- | --- | --- |\n{rows}\n")
    if examples:
        parts.append(f"```sh\n{inspect.cleandoc(examples).strip()}\n```\n")
    return "\n".join(parts)


def text_and_examples(text: str) -> tuple[str, str]:
    """A command's help up to its examples, and these."""
    heading = EXAMPLES.search(text)
    return (text[: heading.start()], text[heading.end() :]) if heading else (text, "")


def parameter_row(parameter: Any) -> str:
    """One argument or option as a row of a table."""
    cells = (spelling(parameter), default(parameter), " ".join((parameter.help or "").split()))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def spelling(parameter: Any) -> str:
    """How the parameter is written: `--shape NAME=SIZES`, or the name of an argument."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return f"`{names}`" if parameter.is_flag else f"`{names} {value_name(parameter)}`"


def value_name(parameter: Any) -> str:
    """What stands for an option's value: its own word, else its choices or its type."""
    if parameter.metavar:
        return str(parameter.metavar)
    annotation = parameter.type_descriptor.annotation
    inner = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    if get_origin(inner) is Literal:
        return "|".join(get_args(inner))
    if inspect.isclass(inner) and issubclass(inner, Enum):
        return "|".join(str(member.value) for member in inner)
    return TYPES[inner]


def default(parameter: Any) -> str:
    """What counts where the parameter is left out."""
    value = parameter.default
    if parameter.required:
        return "needed"
    if value is None or value is False or value in ("", (), []):
        return ""
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(f"`{each.value if isinstance(each, Enum) else each}`" for each in values)


if __name__ == "__main__":
    PAGE.write_text(page())
