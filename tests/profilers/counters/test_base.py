"""What a counter reader is by default."""

import pytest

from profilers.counters.base import CounterReader
from profilers.counters.null import NullReader


def test_a_reader_has_to_say_how_it_counts() -> None:
    with pytest.raises(TypeError, match="abstract"):
        CounterReader()  # type: ignore[abstract]


def test_closing_a_reader_that_holds_nothing_does_nothing() -> None:
    reader = NullReader()
    reader.close()
    with reader:
        pass
    assert reader.read().values == {}
