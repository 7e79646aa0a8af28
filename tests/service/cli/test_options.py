"""Options that several commands take are the same in all of them: one name, one help text."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from service.cli import options
from service.cli.main import app

SHARED = {
    "--server", "--key", "--json", "--target", "--shape", "--dim", "--file", "--graph", "--data-dir", "--database-url",
    "--max-seconds", "--timeout",
}  # fmt: skip
OTHERWISE = {
    ("bench nas", "--json"), ("bench onnx", "--json"), ("explain", "--server"),
    ("adapt", "--graph"), ("adapt", "--target"), ("bench nas", "--target"), ("bench serve", "--database-url"),
    *((f"measurements {verb}", option) for verb in ("list", "hide", "show") for option in ("--target", "--graph")),
}  # fmt: skip
"""Where an option of that name means something else, and says so."""


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its words; groups are opened."""
    for part, below in getattr(command, "commands", {}).items():
        yield from leaves(below, f"{name} {part}".strip())
    if not hasattr(command, "commands"):
        yield name, command


COMMANDS = dict(leaves(get_command(app)))


@pytest.mark.parametrize("option", sorted(SHARED))
def test_a_shared_option_has_one_help_text(option: str) -> None:
    texts = {
        name: (parameter.help, parameter.metavar)
        for name, command in COMMANDS.items()
        for parameter in command.params
        if option in parameter.opts and (name, option) not in OTHERWISE
    }
    assert len(texts) > 1
    assert len(set(texts.values())) == 1, texts


def test_every_command_that_ends_with_a_result_has_it_as_json() -> None:
    without = {name for name, command in COMMANDS.items() if not any("--json" in p.opts for p in command.params)}
    until_stopped, a_page = {"serve", "agent", "worker"}, {"bench report"}
    assert without == until_stopped | a_page


def test_sizes_are_given_in_one_way_everywhere() -> None:
    """Whatever takes the shape of an input takes the size of a symbol, too."""
    taking = {
        option: {name for name, command in COMMANDS.items() if any(option in p.opts for p in command.params)}
        for option in ("--shape", "--dim")
    }
    assert taking["--shape"] == taking["--dim"]
    assert {"profile", "predict", "explain", "check", "measure", "upload", "import"} <= taking["--shape"]


def test_every_name_is_one_of_the_module() -> None:
    assert [name for name in options.__all__ if not hasattr(options, name)] == []
