"""Implementations enter by entry points."""

import pytest

from latcast.schema import UnknownNameError
from profilers.backends.fake import FakeBackend
from profilers.plugins import names, plugin


def test_built_in_implementations_enter_by_the_same_door() -> None:
    assert {"fake", "onnxruntime"} <= set(names("backends"))
    assert plugin("backends", "fake") is FakeBackend


def test_names_are_sorted_and_a_group_without_entries_is_empty() -> None:
    assert list(names("search_spaces")) == sorted(names("search_spaces"))
    assert names("no_such_group") == ()


def test_an_unknown_name_is_an_error_with_those_that_are_close() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown search space 'fbnett'. Did you mean 'fbnet'"):
        plugin("search_spaces", "fbnett")
