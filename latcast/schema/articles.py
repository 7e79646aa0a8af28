"""The indefinite article before a name that a sentence is given: `an Add`, `a Conv`, `an LSTM`, `a uint8`."""

import re

__all__ = ["with_article"]

_SPELLED = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]+(?=[A-Z][a-z])")
"""Capitals at the beginning that are read letter by letter: LSTM, the SVM of SVMRegressor, the Q of QLinearConv."""
_LETTERS_WITH_VOWEL = frozenset("AEFHILMNORSX")
"""Letters whose own names begin with the sound of a vowel: ef, em, ar."""
_WORDS_WITH_CONSONANT = re.compile(r"one(?!i)|uni(?!n)|use|uint|eu|ubi", re.IGNORECASE)
"""Words written with a vowel at the beginning that are spoken with a consonant: one-hot, unique, u-int."""
_NUMBERS_WITH_VOWEL = re.compile(r"8|1[18](?!\d)")
"""Numbers that are spoken with a vowel at the beginning: eight, eleven, eighteen."""


def with_article(name: str, *, capital: bool = False) -> str:
    """A name behind the article that goes with how it is spoken.

    Args:
        name: what a sentence names, for example an operator, a type or a kind.
        capital: whether the article begins the sentence.
    """
    article = "an" if _begins_with_vowel(name) else "a"
    return f"{article.capitalize() if capital else article} {name}"


def _begins_with_vowel(name: str) -> bool:
    bare = name.lstrip("'\"`")
    if spelled := _SPELLED.match(bare):
        return spelled[0][0] in _LETTERS_WITH_VOWEL
    if bare[:1].isdigit():
        return _NUMBERS_WITH_VOWEL.match(bare) is not None
    return bare[:1].lower() in set("aeiou") and not _WORDS_WITH_CONSONANT.match(bare)
