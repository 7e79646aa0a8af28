"""The article goes with the name behind it, and no sentence has one that cannot."""

import re
from pathlib import Path

import pytest
from onnx.defs import get_all_schemas

from latcast.schema.articles import with_article

ROOT = Path(__file__).parents[3]
PACKAGES = ("latcast", "predictors", "profilers", "service")
BEFORE_A_NAME = re.compile(r"""f["'](?:[^"'\\]*[ "'])?[Aa]n? \{[^}]+\}""")
"""An article that a template fixes, whatever is filled in behind it."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Add", "an Add"), ("Conv", "a Conv"), ("Identity", "an Identity"), ("LSTM", "an LSTM"), ("GRU", "a GRU"),
        ("RNN", "an RNN"), ("LRN", "an LRN"), ("STFT", "an STFT"), ("DFT", "a DFT"), ("OneHot", "a OneHot"),
        ("Unique", "a Unique"), ("Unsqueeze", "an Unsqueeze"), ("Upsample", "an Upsample"), ("Or", "an Or"),
        ("QLinearConv", "a QLinearConv"), ("SVMRegressor", "an SVMRegressor"), ("RMSNormalization",
        "an RMSNormalization"), ("NonZero", "a NonZero"), ("NGramRepeatBlock", "an NGramRepeatBlock"),
        ("IsNaN", "an IsNaN"), ("If", "an If"), ("uint8", "a uint8"), ("int8", "an int8"), ("'Einsum'", "an 'Einsum'"),
        ("8-bit", "an 8-bit"), ("80-bit", "an 80-bit"), ("4-bit", "a 4-bit"), ("11-bit", "an 11-bit"),
        ("110-bit", "a 110-bit"), ("XGBoost", "an XGBoost"), ("", "a "),
    ],
)  # fmt: skip
def test_the_article_goes_with_how_the_name_is_spoken(name: str, text: str) -> None:
    assert with_article(name) == text
    assert with_article(name, capital=True) == text[0].upper() + text[1:]


def test_operators_that_begin_with_a_vowel_have_the_long_article() -> None:
    """All operators of the standard: written with a vowel they take `an`, but for the two spoken with a consonant."""
    names = {schema.name for schema in get_all_schemas() if schema.name[0] in "AEIOU"}
    assert len(names) > 30
    short = {name for name in names if with_article(name).startswith("a ")}
    assert short == {"OneHot", "OneHotEncoder", "Unique"} & names


def test_no_template_fixes_the_article_before_a_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for match in BEFORE_A_NAME.finditer(path.read_text())
    ]
    assert found == []
