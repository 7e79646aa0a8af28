"""Help of every command at 80 columns: no summary is cut, no line is too wide, nothing is boxed."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from service.cli.main import app

WIDTH = 80
WHOLE = "|avg_pool_3x3"
"""An architecture's text, which is copied and therefore never broken."""


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.delenv("TERM", raising=False)


def shown(*path: str) -> str:
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("path", list(paths(get_command(app))), ids=" ".join)
def test_help_fits_into_80_columns(path: tuple[str, ...]) -> None:
    lines = shown(*path).splitlines()
    assert [line for line in lines if len(line) > WIDTH and WHOLE not in line] == []
    assert not set("".join(lines)) & set("─│╭╰┃━")


@pytest.mark.parametrize("group", [(), ("keys",), ("bench",), ("dataset",), ("db",)], ids=" ".join)
def test_a_group_says_in_whole_sentences_what_its_commands_do(group: tuple[str, ...]) -> None:
    text = " ".join(shown(*group).partition("Commands:")[2].split())
    command = get_command(app)
    for name in group:
        command = command.commands[name]  # type: ignore[attr-defined]
    for name, child in command.commands.items():  # type: ignore[attr-defined]
        sentence = " ".join(child.help.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        assert f"{name} {sentence}." in text
