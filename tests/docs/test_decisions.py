"""Decisions are numbered one after the other, and short: experiments and tables belong into research."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
MOST_LINES = 12
"""Lines of text, headings and blank lines aside."""


def test_numbers_follow_each_other() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_is_short_and_has_its_parts(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    for part in ("Context", "Decision", "Consequences"):
        assert re.search(rf"^(## {part}$|\*\*{part}\.\*\* )", text, flags=re.MULTILINE), part
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= MOST_LINES
    assert not any(line.startswith("|") for line in lines), "tables belong into research"
