"""Markdown for people: tables and sentences fit the width, and what it says stays."""

from rich.console import Console

from service.cli.markdown import print_markdown

CARD = """# help

A predictor of latency of kind `help`, fitted on 1,234 measurements of 100 networks on 2 targets in 12.3 s, and so on.

| host | target | rows |
| --- | --- | --- |
| a\\|b&lt;c> | onnxruntime fp32 [1 thread] | 1,234 |
| pi | tract |

| not | a table |

```json
{
  "seed": 0
}

```
"""


def printed(text: str, width: int = 60) -> list[str]:
    out = Console(width=width, color_system=None, highlight=False)
    with out.capture() as captured:
        print_markdown(text, out)
    return captured.get().splitlines()


def test_headings_sentences_tables_and_code_are_printed() -> None:
    lines = printed(CARD)
    assert lines[0] == "help"
    assert lines[2].startswith("A predictor of latency of kind help, fitted on")
    assert max(map(len, lines)) <= 60
    table = next(place for place, line in enumerate(lines) if line.startswith("host"))
    assert [line.split("  ")[0] for line in lines[table : table + 3]] == ["host", "a|b<c>", "pi"]
    assert lines[table + 1].split() == ["a|b<c>", "onnxruntime", "fp32", "[1", "thread]", "1,234"]
    assert "| not | a table |" in lines
    assert lines[-4:] == ["{", '  "seed": 0', "}", ""]


def test_an_empty_text_is_nothing() -> None:
    assert printed("") == []
