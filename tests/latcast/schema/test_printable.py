"""Foreign texts as terminals and logs get them: nothing in them acts, and what people write stays as it is."""

import json

import pytest

from latcast.schema import LatcastError
from latcast.schema.printable import json_text, visible, visible_lines

HOSTILE = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, 0x200B, 0x200E, 0x2028, 0x2029,
                                  *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xDC80, 0xE000)]  # fmt: skip
HARMLESS = ["pi-07", "Jürgens Gerät [lab] 7", "研究室\u3000一号", "a\u00a0b", "🚀", "'=1'", "C:\\models\\new"]


@pytest.mark.parametrize("character", HOSTILE, ids=ascii)
def test_what_acts_on_a_terminal_is_an_escape(character: str) -> None:
    for text in (visible(f"a{character}b"), visible_lines(f"a{character}b"), json_text(f"a{character}b")):
        assert text.replace("\n", "").isprintable()
    assert visible(character).isascii()
    assert json.loads(json_text(character)) == character


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == visible_lines(text) == text
    assert json.loads(json_text({"name": text})) == {"name": text}


def test_further_lines_are_indented_so_that_none_is_taken_for_ours() -> None:
    assert visible("one\nlatcast: all is well") == "one\\nlatcast: all is well"
    assert visible_lines("one\r\nlatcast: all is well\n") == "one\n  latcast: all is well"
    assert visible_lines("a\tb\rc") == "a   b\\rc"


def test_json_is_indented_and_keeps_letters() -> None:
    assert json_text({"a": ["é"]}) == '{\n  "a": [\n    "é"\n  ]\n}'


def test_errors_show_no_control_character_whatever_is_in_them() -> None:
    error = LatcastError("The operator \x1b]0;owned\x07 is unknown.\nMore.")
    assert str(error) == "The operator \\x1b]0;owned\\x07 is unknown.\nMore."
    assert error.args == ("The operator \x1b]0;owned\x07 is unknown.\nMore.",)
