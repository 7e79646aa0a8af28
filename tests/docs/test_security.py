"""The page on security: the settings and tests that it names exist, and every limit among the settings is on it."""

import re
from pathlib import Path

from service.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
PREFIXES = ("max_", "rate_", "reader_", "cache_", "header_", "body_")


def test_every_limit_is_on_the_page() -> None:
    limits = {name for name in Settings.model_fields if name.startswith(PREFIXES)}
    assert sorted(name for name in limits - {"max_page_size"} if f"`{name}`" not in PAGE) == []


def test_settings_that_are_named_exist() -> None:
    named = set(re.findall(rf"`((?:{'|'.join(PREFIXES)})[a-z_]+)`", PAGE))
    assert named - set(Settings.model_fields) == set()


def test_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
