"""The page of the command line is the commands' own."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def reference(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("cli_reference")


def test_page_is_what_the_commands_say_today(reference: ModuleType) -> None:
    assert reference.PAGE.read_text() == reference.page(), "scripts/docs writes the page again"


def test_page_has_every_command_with_its_options(reference: ModuleType) -> None:
    page = reference.page()
    for words in (
        "## latcast keys revoke",
        "`--shape NAME=SIZES`",
        "`--scope admin\\|client\\|measure`",
        "| `MODEL` | needed |",
    ):
        assert words in page


def test_examples_become_a_block_of_code(reference: ModuleType) -> None:
    assert reference.text_and_examples("Do it.\n\nExample (here):\n  do it\n") == ("Do it.\n\n", "  do it\n")
    assert reference.text_and_examples("Do it.") == ("Do it.", "")
