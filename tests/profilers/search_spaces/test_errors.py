"""Messages about texts that are not architectures."""

from latcast.schema import InvalidArchitectureError
from profilers.search_spaces.errors import MAX_SHOWN, invalid


def test_a_message_says_what_is_wrong_where_and_what_is_right() -> None:
    error = invalid("zoo", "plain/depth=x", 12, "depth is no number", "plain/depth=3")
    assert isinstance(error, InvalidArchitectureError)
    assert "at character 12, depth is no number" in str(error)
    assert "'plain/depth=3'" in str(error)


def test_long_texts_are_shortened() -> None:
    message = str(invalid("zoo", "x" * 500, 0, "it is long", "plain"))
    assert "x" * MAX_SHOWN + "…" in message
    assert "x" * (MAX_SHOWN + 1) not in message
