"""Values that no shell has read lose their quotation marks, and find the user's folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latcast.schema.quoting import at_home, unquoted


@given(st.text(), st.sampled_from(["", '"', "'"]), st.sampled_from(["", " ", "\n", "\t "]))
def test_a_value_is_the_same_in_marks_and_between_blanks(value: str, mark: str, blank: str) -> None:
    value = value.strip().strip("\"'").strip()
    assert unquoted(f"{blank}{mark}{value}{mark}{blank}") == value


@pytest.mark.parametrize("value", ['"', "'a", 'a"', "\"a'", 'a"b"c'])
def test_marks_that_are_no_pair_stay(value: str) -> None:
    assert unquoted(value) == value


def test_a_path_begins_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert at_home(Path("~/data")) == tmp_path / "data"
    assert at_home(Path("~")) == tmp_path
    assert at_home(Path("a/~/b")) == Path("a/~/b")
    assert at_home(Path("~nobody-has-this-name/data")) == Path("~nobody-has-this-name/data")
